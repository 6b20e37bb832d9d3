/**
 * A coordinator among others: leads, with an engine that goes on where the one before it was, or stands by. Without NATS
 * it is the only one, and leads from the beginning.
 *
 * - C1: it answers for the cluster only while it leads: what it would say otherwise may be old.
 * - C2: it begins only after the journal is its own and read to the end; once it is fenced, it does nothing more with
 *   that engine.
 */
import { randomUUID } from 'node:crypto';
import type { Broker } from '@regatta/broker';
import { messageOf, RegattaError } from '@regatta/kernel';
import type { Logger } from 'pino';
import { Engine, type EngineOptions } from './engine/engine.ts';
import type { QueuedNews } from './engine/queue-news.ts';
import { watchForLostChunks } from './fanout/lost-chunks.ts';
import { WorkQueue } from './fanout/queue.ts';
import { Leadership } from './journal/leadership.ts';
import { JournalLog } from './journal/log.ts';
import { JournalRecorder } from './journal/recorder.ts';
import { recover } from './journal/recovery.ts';

export interface CoordinatorOptions {
  readonly engine: EngineOptions;
  /** Undefined to be alone, with no memory beyond this process. */
  readonly broker: Broker | undefined;
  /** Copies of all that is in NATS, on different servers of its cluster: 1, 3 or 5. */
  readonly replicas: number;
  /** Of steps, after which all of the engine is written to the journal. */
  readonly bytesPerSnapshot: number;
  readonly log: Logger;
}

interface Term {
  readonly engine: Engine;
  readonly queue: WorkQueue;
  readonly journal: JournalLog;
}

export class Coordinator {
  readonly #options: CoordinatorOptions;
  #leadership: Leadership | undefined;
  readonly #alone: Engine | undefined;
  #term: Term | undefined;
  /** What it is about while it does not lead. */
  #standing = 'it has just started';
  #closed = false;
  readonly #id = randomUUID();
  /** There was one before. */
  #knewLeader = false;
  /** What was last said of who leads. */
  #said = '';
  readonly #placed = Promise.withResolvers<void>();
  /** Terms begin and end one after another. */
  #changing: Promise<void> = Promise.resolve();

  constructor(options: CoordinatorOptions) {
    this.#options = options;
    if (options.broker !== undefined) return;
    this.#alone = new Engine(options.engine);
    this.#placed.resolve();
  }

  /** Resolves when it leads, or knows who does. */
  get placed(): Promise<void> {
    return this.#placed.promise;
  }

  /** Takes part in who leads. @param addresses where clients and nodes reach this one */
  start(addresses: readonly string[]): void {
    const { broker, log, replicas } = this.#options;
    if (broker === undefined) return;
    this.#leadership = new Leadership(broker, {
      id: this.#id,
      addresses,
      replicas,
      onElected: () => this.#change(() => this.#lead(broker)),
      onDeposed: (why) => this.#change(() => this.#stepDown(why)),
      onLeader: (leader) => leader !== undefined && leader.id !== this.#id && this.#standBy(leader.addresses),
      onUncertain: (why) => why !== undefined && log.warn(`this coordinator may not lead any more: ${why}`),
    });
    this.#campaign(broker, this.#leadership).catch((thrown) => {
      this.#standing = messageOf(thrown);
      if (!this.#closed) log.error(messageOf(thrown));
    });
  }

  /** @throws RegattaError NO_NATS_CLUSTER besides what `campaign` throws */
  async #campaign(broker: Broker, leadership: Leadership): Promise<void> {
    const { nc } = await broker.connected();
    // One server takes the number, and then cannot open its streams when it is started again.
    if (this.#options.replicas > 1 && nc.info?.cluster === undefined) {
      const what = `--nats-replicas ${this.#options.replicas} needs a NATS cluster of as many servers`;
      throw new RegattaError('NO_NATS_CLUSTER', `${what}; ${broker.servers.join(', ')} is one server by itself`);
    }
    await leadership.campaign();
  }

  #standBy(leaders: readonly string[]): void {
    this.#placed.resolve();
    this.#knewLeader = true;
    const line = `this coordinator stands by; the one that leads is at ${leaders.join(', ')}`;
    if (line !== this.#said) this.#options.log.info(line);
    this.#said = line;
  }

  /** @throws RegattaError NOT_LEADING that says who does (C1) */
  get engine(): Engine {
    const engine = this.#alone ?? this.#term?.engine;
    if (engine !== undefined) return engine;
    const leader = this.#leadership?.leader;
    if (leader !== undefined && leader.id !== this.#id) {
      const where = leader.addresses.join(', ');
      throw new RegattaError('NOT_LEADING', `this coordinator stands by; the one that leads is at ${where}`);
    }
    const why = this.#leadership?.complaint ?? this.#standing;
    throw new RegattaError('NOT_LEADING', `no coordinator leads yet: ${why}`);
  }

  /** Where the one that leads is, as far as is known. */
  get leaderAddresses(): readonly string[] {
    return this.#leadership?.leader?.addresses ?? [];
  }

  get #leads(): boolean {
    const role = this.#leadership?.role;
    return role === 'leading' || role === 'uncertain';
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#leadership?.close();
    this.#change(() => this.#stepDown('it was told to end'));
    await this.#changing;
  }

  #change(step: () => Promise<void>): void {
    this.#changing = this.#changing.then(step).catch((thrown) => {
      this.#options.log.error(messageOf(thrown));
    });
  }

  async #lead(broker: Broker): Promise<void> {
    if (this.#closed || !this.#leads) return;
    const { log, replicas, bytesPerSnapshot } = this.#options;
    const startedAt = performance.now();
    this.#standing = 'it reads the journal';
    const engine = new Engine(this.#options.engine);
    // What is said of this term may come in the next one.
    const end = (why: string): void => this.#change(() => this.#stepDown(why, engine));
    let journal: JournalLog | undefined;
    let queue: WorkQueue | undefined;
    let begun = false;
    const early: QueuedNews[] = [];
    try {
      journal = await JournalLog.open(broker, {
        replicas,
        onFenced: ({ message }) => end(message),
        onPoison: (line) => log.warn(line),
      });
      const term = await journal.takeOver();
      const { snapshots, steps, ended, broken } = await recover(journal, engine.insides);
      queue = new WorkQueue(broker, {
        // Before it has begun, what follows from it could not be ordered.
        onOutcome: (news) => (begun ? engine.reportQueued(news) : void early.push(news)),
        onLost: (runIds) => engine.requeue(runIds),
        replicas,
        log,
      });
      const recorder = new JournalRecorder(
        {
          log: journal,
          insides: engine.insides,
          bytesPerSnapshot,
          away: () => (broker.state.kind === 'waiting' ? broker.state.complaint : undefined),
          onLost: ({ message }) => end(message),
          onNoRoom: (waiting) => engine.stopLargest(waiting),
          onTrouble: (line) => log.warn(line),
        },
        snapshots,
      );
      engine.attachQueue(queue, broker.servers);
      await engine.begin(recorder);
      begun = true;
      for (const news of early.splice(0)) engine.reportQueued(news);
      for (const run of engine.runs()) if (ended.includes(run.id)) recorder.ended(run);
      for (const runId of broken) engine.giveUp(runId, 'some of its inputs are no longer in the journal');
      const lost = watchForLostChunks({
        queue,
        out: () => engine.queuedOut(),
        onLost: (runId) => {
          log.warn({ run: runId }, `${runId}: its chunks are in no queue and with no node any more; queued again`);
          engine.requeue([runId]);
        },
      });
      engine.over.addEventListener('abort', () => clearInterval(lost), { once: true });
      this.#term = { engine, queue, journal };
      const active = new Set(engine.runs().flatMap((run) => (run.ended ? [] : [run.id])));
      queue.closeOthers(active).catch((thrown) => log.warn(messageOf(thrown)));
      this.#placed.resolve();
      const ms = Math.round(performance.now() - startedAt);
      if (this.#knewLeader && steps === 0 && snapshots.length === 0) {
        log.warn('the journal is empty: what the coordinator before this one knew of runs is lost');
      }
      this.#knewLeader = true;
      this.#said = '';
      log.info({ term, steps, runs: active.size, ms }, `this coordinator leads, ${active.size} runs go on`);
    } catch (thrown) {
      await queue?.close();
      journal?.close();
      engine.end('it could not begin');
      this.#standing = messageOf(thrown);
      await this.#leadership?.stepDown(messageOf(thrown));
      throw thrown;
    }
  }

  /** C2. */
  async #stepDown(why: string, whose = this.#term?.engine): Promise<void> {
    const term = this.#term;
    if (term === undefined || term.engine !== whose) return;
    this.#term = undefined;
    this.#standing = why;
    if (!this.#closed) this.#options.log.warn(`this coordinator leads no more: ${why}`);
    term.engine.end(`this coordinator leads no more: ${why}`);
    await term.queue.close();
    term.journal.close();
    // Who is fenced and still has the lease would keep others from leading.
    await this.#leadership?.stepDown(why);
  }
}
