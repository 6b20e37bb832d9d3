/**
 * The gRPC service that nodes dial. Turns a stream into an introduction, outcomes and, at its end, a loss.
 *
 * - A1: a node is lost when its stream ends or when nothing came over it for a lease's time, whichever is first. A
 *   stream that outlives its lease is still heard: late results are counted, then the node is sent to join anew.
 * - A2: what a peer sends is checked; a peer that makes no sense is refused with a reason and costs nobody else.
 */
import { messageOf } from '@regatta/kernel';
import type { ConnectRequest, Hello, NodeLinkServiceServer } from '@regatta/proto/node';
import { negotiate, protocol } from '@regatta/proto/version';
import type { Logger } from 'pino';
import type { Coordinator } from '../coordinator.ts';
import type { Engine } from '../engine/engine.ts';
import type { Assignment } from '../engine/fleet.ts';
import { limits } from '../engine/limits.ts';
import type { PermitLink } from '../politeness/politeness.ts';
import { demandOf, introductionOf, lateFailureOf, leftoversOf, outcomeOf, pulseOf, wirePermitsOf } from './codec.ts';
import { type NodeStream, StreamPort } from './port.ts';
import type { RefusedNodes } from './refused-nodes.ts';

type Leader = Pick<Coordinator, 'engine'>;

/** @param onRefused told the code with which a node is refused. @param refused is to remember it */
export function nodeLinkService(
  coordinator: Leader,
  log: Logger,
  refused: RefusedNodes,
  onRefused: (code: string) => void = () => {},
): NodeLinkServiceServer {
  return { connect: (stream) => void new Connection(stream, coordinator, log, refused, onRefused) };
}

class Connection {
  readonly #stream: NodeStream;
  readonly #coordinator: Leader;
  readonly #port: StreamPort;
  readonly #log: Logger;
  readonly #refused: RefusedNodes;
  readonly #onRefused: (code: string) => void;
  /** As it calls itself, whatever that is. */
  #name = '';
  #node: { readonly engine: Engine; readonly id: string; readonly incarnation: number } | undefined;
  /** Outcomes of this connection that are safe: the first so many. */
  #safe = 0;
  /** It is lost, or has left: what it still says changes nothing. */
  #lost = false;
  #closed = false;
  #heardAt = performance.now();
  readonly #watch: NodeJS.Timeout;
  #leave: NodeJS.Timeout | undefined;
  readonly #permits: PermitLink = {
    send: (orders) => {
      if (!this.#closed) this.#stream.write({ frame: { $case: 'permits', value: wirePermitsOf(orders) } });
    },
  };

  constructor(
    stream: NodeStream,
    coordinator: Leader,
    log: Logger,
    refused: RefusedNodes,
    onRefused: (code: string) => void,
  ) {
    this.#stream = stream;
    this.#refused = refused;
    this.#coordinator = coordinator;
    this.#log = log;
    this.#onRefused = onRefused;
    // Once the step that took it back is over: only then is it known who this is.
    this.#port = new StreamPort(stream, (assignment) => queueMicrotask(() => this.#unsent(assignment)));
    this.#watch = setInterval(() => this.#checkLease(), limits.leaseMs / 10);
    stream.on('data', (request: ConnectRequest) => this.#heard(request));
    stream.on('error', (error) => this.#over(error.message));
    stream.on('cancelled', () => this.#over('its connection ended'));
    stream.on('end', () => this.#over('it closed the link'));
  }

  #heard({ frame }: ConnectRequest): void {
    this.#heardAt = performance.now();
    // Refused, and never taken in: a hello that comes after that is one too many.
    if (this.#closed && this.#node === undefined) return;
    try {
      if (this.#node === undefined) {
        if (frame?.$case !== 'hello') throw new Error('the first frame must be a hello');
        return this.#welcome(frame.value);
      }
      const { engine, id, incarnation } = this.#node;
      if (this.#lost) this.#turnAwaySoon();
      if (frame?.$case === 'report') {
        for (const outcome of frame.value.outcomes)
          engine.roster.report(id, incarnation, outcomeOf(outcome), this.#thank);
        for (const late of frame.value.late) engine.roster.late(id, incarnation, lateFailureOf(late));
      } else if (frame?.$case === 'demand' && !this.#lost) {
        engine.politeness.told(id, this.#permits, demandOf(frame.value));
      } else if (frame?.$case === 'heartbeat' && !this.#lost) {
        engine.roster.beat(id, incarnation, pulseOf(frame.value));
        // Nobody reads them: they would pile up here.
        if (this.#stream.writableNeedDrain) return;
        this.#stream.write({ frame: { $case: 'heartbeatAckMs', value: frame.value.sentMs } });
      } else if (frame?.$case === 'leaving' && !this.#lost) {
        engine.roster.leaving(id, incarnation);
        // It waits for that order, and somebody may have drained it before.
        this.#port.drain(false);
      } else if (frame?.$case === 'goodbye' && !this.#lost) {
        this.#goodbye();
      }
    } catch (thrown) {
      this.#refuse('BAD_FRAME', messageOf(thrown));
    }
  }

  #welcome(hello: Hello): void {
    this.#name = hello.nodeId;
    const version = negotiate({ min: hello.protocolMin, max: hello.protocolMax });
    if (version === undefined) {
      const theirs = `${hello.protocolMin} to ${hello.protocolMax}`;
      const ours = `${protocol.min} to ${protocol.max}`;
      const older = hello.protocolMax < protocol.min ? 'node-agent' : 'coordinator';
      const message = `it speaks link protocol ${theirs}, this coordinator ${ours}; upgrade the ${older}`;
      return this.#refuse('PROTOCOL_VERSION', message);
    }
    const engine = this.#leadingEngine();
    if (engine === undefined) return;
    const introduction = introductionOf(hello, this.#stream.getPeer());
    const { nodeId, instance } = introduction;
    const namesake = engine.nodes().find((node) => node.introduction.nodeId === nodeId && node.state !== 'lost');
    // One that is only awaited may have been started anew.
    if (namesake !== undefined && !namesake.awaited && namesake.introduction.instance !== instance) {
      const { address } = namesake.introduction;
      return this.#refuse(
        'NAME_TAKEN',
        `a node named ${nodeId} is connected from ${address}; give this one another --id`,
      );
    }
    const left = leftoversOf(hello);
    const resumed = left !== undefined && engine.roster.readmit(introduction, left, this.#port);
    const incarnation = resumed ? left.incarnation : engine.roster.join(introduction, this.#port);
    this.#node = { engine, id: nodeId, incarnation };
    this.#refused.forget(nodeId);
    const { heartbeatMs, leaseMs } = limits;
    const { durable } = engine;
    const natsServers = [...engine.queueServers];
    const value = { protocol: version, incarnation, heartbeatMs, leaseMs, natsServers, durable, resumed };
    this.#stream.write({ frame: { $case: 'welcome', value } });
    const news = resumed ? 'node is back' : 'node joined';
    this.#log.info({ node: nodeId, incarnation, cores: introduction.machine.cores }, news);
  }

  /** Undefined, and the node refused, where another coordinator leads, or none. */
  #leadingEngine(): Engine | undefined {
    try {
      return this.#coordinator.engine;
    } catch (thrown) {
      this.#refuse('NOT_LEADING', messageOf(thrown));
      return undefined;
    }
  }

  /** What the node reported, in its order, is safe here: it need not keep it. */
  readonly #thank = (): void => {
    this.#safe++;
    if (this.#node?.engine.durable === true) this.#port.acknowledge(this.#safe);
  };

  #refuse(code: string, message: string): void {
    // A write behind the end would destroy the stream before its status is sent, and the peer would wait for ever.
    if (this.#closed) return;
    this.#onRefused(code);
    this.#refused.note({ nodeId: this.#name, address: this.#stream.getPeer(), code, message });
    // A node that looks for the one that leads is no trouble.
    const level = code === 'NOT_LEADING' ? 'debug' : 'warn';
    this.#log[level]({ peer: this.#stream.getPeer(), code }, `refused a node: ${message}`);
    this.#stream.write({ frame: { $case: 'refusal', value: { code, message } } });
    this.#over(`it was refused: ${message}`);
  }

  #unsent(assignment: Assignment): void {
    if (this.#node !== undefined) this.#node.engine.roster.unsent(this.#node.id, this.#node.incarnation, assignment);
  }

  #checkLease(): void {
    const silentMs = performance.now() - this.#heardAt;
    if (this.#node === undefined && silentMs > limits.helloMsMax) this.#over('it said no hello');
    else if (silentMs > limits.lostLinkMsMax) this.#over('it is silent for good');
    else if (silentMs > limits.leaseMs) this.#lose(`nothing came from it for ${Math.round(silentMs)} ms`);
  }

  /** It was lost and is back on the old link: what it has to tell comes first. It may then join as a new incarnation. */
  #turnAwaySoon(): void {
    this.#leave ??= setTimeout(() => {
      this.#refuse('LEASE_EXPIRED', 'it was silent for longer than its lease, and its work has gone elsewhere');
    }, limits.lateNewsMs);
  }

  #over(reason: string): void {
    clearInterval(this.#watch);
    clearTimeout(this.#leave);
    this.#closed = true;
    this.#port.end();
    this.#lose(reason);
  }

  /** It knows that it is free to go by the end of the stream. */
  #goodbye(): void {
    const { engine, id, incarnation } = this.#node!;
    this.#lost = true;
    this.#log.info({ node: id, incarnation }, 'node left');
    engine.politeness.lost(id, this.#permits);
    engine.roster.left(id, incarnation, () => this.#port.end());
  }

  /** It is remembered: what the node still says is late news, to be counted, and no stranger's. */
  #lose(reason: string): void {
    if (this.#node === undefined || this.#lost) return;
    this.#lost = true;
    const { engine, id, incarnation } = this.#node;
    if (!engine.over.aborted) this.#log.info({ node: id, incarnation }, `node lost: ${reason}`);
    engine.politeness.lost(id, this.#permits);
    engine.roster.lost(id, incarnation, reason);
  }
}
