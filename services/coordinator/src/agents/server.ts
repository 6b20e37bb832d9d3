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
import type { Engine } from '../engine/engine.ts';
import type { Assignment } from '../engine/fleet.ts';
import { limits } from '../engine/limits.ts';
import { introductionOf, lateFailureOf, outcomeOf, pulseOf } from './codec.ts';
import { type NodeStream, StreamPort } from './port.ts';

export function nodeLinkService(engine: Engine, log: Logger): NodeLinkServiceServer {
  return { connect: (stream) => void new Connection(stream, engine, log) };
}

class Connection {
  readonly #stream: NodeStream;
  readonly #engine: Engine;
  readonly #log: Logger;
  readonly #port: StreamPort;
  #node: { readonly id: string; readonly incarnation: number } | undefined;
  #lost = false;
  #closed = false;
  #heardAt = performance.now();
  readonly #watch: NodeJS.Timeout;
  #leave: NodeJS.Timeout | undefined;

  constructor(stream: NodeStream, engine: Engine, log: Logger) {
    this.#stream = stream;
    this.#engine = engine;
    this.#log = log;
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
      const { id, incarnation } = this.#node;
      if (this.#lost) this.#turnAwaySoon();
      if (frame?.$case === 'report') {
        for (const outcome of frame.value.outcomes) this.#engine.report(id, incarnation, outcomeOf(outcome));
        for (const late of frame.value.late) this.#engine.late(id, incarnation, lateFailureOf(late));
      } else if (frame?.$case === 'heartbeat' && !this.#lost) {
        this.#engine.beat(id, incarnation, pulseOf(frame.value));
        // Nobody reads them: they would pile up here.
        if (this.#stream.writableNeedDrain) return;
        this.#stream.write({ frame: { $case: 'heartbeatAckMs', value: frame.value.sentMs } });
      }
    } catch (thrown) {
      this.#refuse('BAD_FRAME', messageOf(thrown));
    }
  }

  #welcome(hello: Hello): void {
    const version = negotiate({ min: hello.protocolMin, max: hello.protocolMax });
    if (version === undefined) {
      const theirs = `${hello.protocolMin} to ${hello.protocolMax}`;
      const ours = `${protocol.min} to ${protocol.max}`;
      const older = hello.protocolMax < protocol.min ? 'node-agent' : 'coordinator';
      const message = `it speaks link protocol ${theirs}, this coordinator ${ours}; upgrade the ${older}`;
      return this.#refuse('PROTOCOL_VERSION', message);
    }
    const introduction = introductionOf(hello, this.#stream.getPeer());
    const { nodeId, instance } = introduction;
    const namesake = this.#engine.nodes().find((node) => node.introduction.nodeId === nodeId && node.state !== 'lost');
    if (namesake !== undefined && namesake.introduction.instance !== instance) {
      const { address } = namesake.introduction;
      return this.#refuse(
        'NAME_TAKEN',
        `a node named ${nodeId} is connected from ${address}; give this one another --id`,
      );
    }
    const incarnation = this.#engine.join(introduction, this.#port);
    this.#node = { id: nodeId, incarnation };
    const { heartbeatMs, leaseMs } = limits;
    const natsServers = [...this.#engine.queueServers];
    const value = { protocol: version, incarnation, heartbeatMs, leaseMs, natsServers };
    this.#stream.write({ frame: { $case: 'welcome', value } });
    this.#log.info({ node: nodeId, incarnation, cores: introduction.machine.cores }, 'node joined');
  }

  #refuse(code: string, message: string): void {
    // A write behind the end would destroy the stream before its status is sent, and the peer would wait for ever.
    if (this.#closed) return;
    this.#log.warn({ peer: this.#stream.getPeer(), code }, `refused a node: ${message}`);
    this.#stream.write({ frame: { $case: 'refusal', value: { code, message } } });
    this.#over(`it was refused: ${message}`);
  }

  #unsent(assignment: Assignment): void {
    if (this.#node !== undefined) this.#engine.unsent(this.#node.id, this.#node.incarnation, assignment);
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

  /** It is remembered: what the node still says is late news, to be counted, and no stranger's. */
  #lose(reason: string): void {
    if (this.#node === undefined || this.#lost) return;
    this.#lost = true;
    const { id, incarnation } = this.#node;
    this.#log.info({ node: id, incarnation }, `node lost: ${reason}`);
    this.#engine.lost(id, incarnation, reason);
  }
}
