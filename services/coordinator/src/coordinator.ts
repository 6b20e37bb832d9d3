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
import { counted, messageOf, RegattaError } from '@regatta/kernel';
import { atMost } from '@regatta/kernel/patience';
import type { Logger } from 'pino';
import { Engine, type EngineOptions } from './engine/engine.ts';
import type { QueuedNews } from './engine/queue-news.ts';
import { watchForLostChunks } from './fanout/lost-chunks.ts';
import { WorkQueue } from './fanout/queue.ts';
import { Leadership } from './journal/leadership.ts';
import { limits } from './journal/limits.ts';
import { JournalLog } from './journal/log.ts';
import { JournalRecorder } from './journal/recorder.ts';
import { recover } from './journal/recovery.ts';
import type { RoleTaken } from './observe/label-values.ts';
import type { JournalObserver } from './observe/observer.ts';

export interface CoordinatorOptions {
  readonly engine: EngineOptions;
  /** Undefined to be alone, with no memory beyond this process. */
  readonly broker: Broker | undefined;
  /** Where nodes are told that it is, if not where the broker has it. */
  readonly natsAdvertised?: readonly string[] | undefined;
  /** Copies of all that is in NATS, on different servers of its cluster: 1, 3 or 5. */
  readonly replicas: number;
  /** Of steps, after which all of the engine is written to the journal. */
  readonly bytesPerSnapshot: number;
  readonly log: Logger;
  /** Who is told of what it does, where somebody is. */
  readonly observer?: CoordinatorObserver | undefined;
}

export interface CoordinatorObserver extends JournalObserver {
  tookUp(role: RoleTaken): void;
  /** Part of a message of outcomes, or all of it, could not be read. */
  unreadable(): void;
  /** Chunks of so many runs were lost and queued again. */
  requeued(runs: number): void;
}

const OWN_LEASE = 'the lease is still of the process that was at this address before, and will be over in seconds';

interface Term {
  readonly engine: Engine;
  readonly queue: WorkQueue;
  readonly journal: JournalLog;
  readonly number: number;
}

export class Coordinator {
  readonly #options: CoordinatorOptions;
  #leadership: Leadership | undefined;
  readonly #alone: Engine | undefined;
  /** Where this one is reached. */
  #addresses: readonly string[] = [];
  #term: Term | undefined;
  /** What it is about while it does not lead. */
  #standing = 'it has just started';
  #closed = false;
  #takeOverMs = 0;
  readonly #id = randomUUID();
  /** There was one before. */
  #knewLeader = false;
  /** What was last said of who leads. */
  #said = '';
  /** Since when the one that leads, as far as is known, is the same. */
  #ledSince = 0;
  readonly #placed = Promise.withResolvers<void>();
  /** Terms begin and end one after another. */
  #changing: Promise<void> = Promise.resolve();

  constructor(options: CoordinatorOptions) {
    this.#options = options;
    if (options.broker !== undefined) return;
    this.#alone = new Engine(options.engine);
    options.observer?.tookUp('leading');
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
    this.#addresses = addresses;
    this.#leadership = new Leadership(broker, {
      id: this.#id,
      addresses,
      replicas,
      onElected: () => this.#change(() => this.#lead(broker)),
      onDeposed: (why) => this.#change(() => this.#stepDown(why)),
      onLeader: (leader) => {
        this.#ledSince = performance.now();
        if (leader !== undefined && leader.id !== this.#id) this.#standBy(leader.addresses);
      },
      onUncertain: (why) => why !== undefined && this.#doubt(why),
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
    const waits = this.#waitsForItsOwnLease;
    const line = waits ? OWN_LEASE : `this coordinator stands by; the one that leads is at ${leaders.join(', ')}`;
    if (line !== this.#said) {
      this.#options.log.info(line);
      if (!waits) this.#options.observer?.tookUp('standing-by');
    }
    this.#said = line;
    // Where another one is reached under the same name, it is no lease of this one's, and it is to be said who leads.
    if (waits)
      setTimeout(() => this.role === 'standing-by' && this.#standBy(this.leaderAddresses), 2 * limits.leaseMs).unref();
  }

  #doubt(why: string): void {
    this.#options.log.warn(`this coordinator may not lead any more: ${why}`);
    this.#options.observer?.tookUp('uncertain');
  }

  /** @throws RegattaError NOT_LEADING that says who does (C1) */
  get engine(): Engine {
    const engine = this.leading;
    if (engine !== undefined) return engine;
    if (this.role === 'standing-by') {
      const where = this.leaderAddresses.join(', ');
      throw new RegattaError('NOT_LEADING', `this coordinator stands by; the one that leads is at ${where}`);
    }
    const why = this.#leadership?.complaint ?? (this.#waitsForItsOwnLease ? OWN_LEASE : this.#standing);
    throw new RegattaError('NOT_LEADING', `no coordinator leads yet: ${why}`);
  }

  /** The engine, where this one leads. */
  get leading(): Engine | undefined {
    return this.#alone ?? (this.#closed ? undefined : this.#term?.engine);
  }

  get role(): 'leading' | 'uncertain' | 'standing-by' | 'idle' {
    if (this.leading !== undefined) return this.#leadership?.role === 'uncertain' ? 'uncertain' : 'leading';
    const leader = this.#leadership?.leader;
    return leader === undefined || leader.id === this.#id || this.#waitsForItsOwnLease ? 'idle' : 'standing-by';
  }

  /** Of the term that it leads; 0 while it does not, or has no journal. */
  get termNumber(): number {
    return this.#term?.number ?? 0;
  }

  /** What it took to take over when it last did. */
  get takeOverMs(): number {
    return this.#takeOverMs;
  }

  /** Whether NATS can be used; undefined where it goes without. */
  get natsUp(): boolean | undefined {
    const { broker } = this.#options;
    return broker && broker.state.kind === 'ready';
  }

  /** What waits in the term that it leads. */
  get figures(): { journalPendingBytes: number; queueUnsentBytes: number; queueHeldMessages: number } | undefined {
    if (this.#term === undefined) return undefined;
    const { journal, queue } = this.#term;
    const { pendingBytes: queueUnsentBytes, heldMessages: queueHeldMessages } = queue;
    return { journalPendingBytes: journal.pendingBytes, queueUnsentBytes, queueHeldMessages };
  }

  /** Where the one that leads is, as far as is known. */
  get leaderAddresses(): readonly string[] {
    return this.#waitsForItsOwnLease ? [] : (this.#leadership?.leader?.addresses ?? []);
  }

  /** The lease is still of one at this very address, who was there before this process and is gone; soon it is over. */
  get #waitsForItsOwnLease(): boolean {
    const leader = this.#leadership?.leader;
    if (leader === undefined || leader.id === this.#id) return false;
    // Where others are reached under the same name, theirs is no lease that ends.
    const isFresh = performance.now() - this.#ledSince < 2 * limits.leaseMs;
    return isFresh && leader.addresses.some((address) => this.#addresses.includes(address));
  }

  get #leads(): boolean {
    const role = this.#leadership?.role;
    return role === 'leading' || role === 'uncertain';
  }

  /**
   * What was recorded is stored first and then the lease given up, so that who comes next waits for nothing. Ends in
   * bounded time, whatever NATS does.
   */
  async close(): Promise<void> {
    this.#closed = true;
    this.#standing = 'it was told to end';
    // One that is about to lead has nothing to keep: it ends with the connection to NATS.
    if (this.#term !== undefined) {
      this.#change(() => this.#stepDown(this.#standing));
      await this.#changing;
    }
    await this.#leadership?.close();
  }

  #change(step: () => Promise<void>): void {
    this.#changing = this.#changing.then(step).catch((thrown) => {
      if (!this.#closed) this.#options.log.error(messageOf(thrown));
    });
  }

  async #lead(broker: Broker): Promise<void> {
    if (this.#closed || !this.#leads) return;
    const { log, replicas, bytesPerSnapshot, observer } = this.#options;
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
        onPoison: () => observer?.unreadable(),
        onLost: (runIds) => {
          observer?.requeued(runIds.length);
          engine.requeue(runIds);
        },
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
          observer,
        },
        snapshots,
      );
      engine.attachQueue(queue, this.#options.natsAdvertised ?? broker.servers);
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
          observer?.requeued(1);
          engine.requeue([runId]);
        },
      });
      engine.over.addEventListener('abort', () => clearInterval(lost), { once: true });
      if (this.#closed) throw new RegattaError('CLOSED', this.#standing);
      this.#term = { engine, queue, journal, number: term };
      const active = new Set(engine.runs().flatMap((run) => (run.ended ? [] : [run.id])));
      queue.closeOthers(active).catch((thrown) => log.warn(messageOf(thrown)));
      this.#placed.resolve();
      const ms = Math.round(performance.now() - startedAt);
      this.#takeOverMs = ms;
      observer?.tookUp('leading');
      if (this.#knewLeader && steps === 0 && snapshots.length === 0) {
        log.warn('the journal is empty: what the coordinator before this one knew of runs is lost');
      }
      this.#knewLeader = true;
      this.#said = '';
      log.info(
        { term, steps, runs: active.size, ms },
        `this coordinator leads, ${counted(active.size, 'run goes on', 'runs go on')}`,
      );
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
    if (this.#closed) await atMost(limits.finishMsMax, term.engine.finish());
    else this.#options.log.warn(`this coordinator leads no more: ${why}`);
    term.engine.end(`this coordinator leads no more: ${why}`);
    await term.queue.close();
    term.journal.close();
    // Who is fenced and still has the lease would keep others from leading. Closed, it gives it up anyway.
    if (!this.#closed) await this.#leadership?.stepDown(why);
  }
}
