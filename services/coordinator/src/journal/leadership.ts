/**
 * Which of several coordinators leads: who holds the lease in NATS and writes it anew every second. It owns who may try,
 * when and with what news; that a leader who does not know yet that he is none does no harm is the journal's matter,
 * whose `takeOver` fences him.
 *
 * - L1: one wins: a lease is only written over the revision that was seen last.
 * - L2: a stand-by counts by its own clock from when it saw a revision first, and only while it can look: after an
 *   outage, or a pause of its own, it counts anew, so that the leader, too, has its time to come back.
 * - L3: who leads is deposed by another's lease only, not by silence: with NATS away nobody else can take over. Meanwhile
 *   it is uncertain.
 */
import { randomUUID } from 'node:crypto';
import type { Broker } from '@regatta/broker';
import { messageOf } from '@regatta/kernel';
import { atMost } from '@regatta/kernel/patience';
import { type LeaderInfo, type Lease, LeaseStore } from './lease.ts';
import { limits } from './limits.ts';

export type { LeaderInfo } from './lease.ts';

export interface LeadershipOptions {
  /** Of this coordinator, unlike all others. */
  readonly id: string;
  /** Where clients and nodes reach it. */
  readonly addresses: readonly string[];
  readonly bucket?: string;
  /** Copies of the lease in a NATS cluster: 1, 3 or 5. */
  readonly replicas?: number;
  readonly onElected?: () => void;
  readonly onDeposed?: (why: string) => void;
  /** Who leads, this one included; nothing while nobody does. */
  readonly onLeader?: (leader: LeaderInfo | undefined) => void;
  /** It leads and could not write its lease for so long that another may take over; with nothing: that is over. */
  readonly onUncertain?: (why: string | undefined) => void;
}

type State =
  | { readonly kind: 'idle' | 'closed' }
  | { readonly kind: 'standing-by'; revision: number; sinceMs: number; lookedAtMs: number; notBeforeMs: number }
  | {
      readonly kind: 'leading';
      readonly self: LeaderInfo;
      readonly token: string;
      revision: number;
      renewedAtMs: number;
      uncertain: boolean;
    };

type Leading = Extract<State, { kind: 'leading' }>;
type StandingBy = Extract<State, { kind: 'standing-by' }>;

export class Leadership {
  readonly #broker: Broker;
  readonly #options: LeadershipOptions;
  #state: State = { kind: 'idle' };
  #leader: { readonly info: LeaderInfo; readonly token: string } | undefined;
  #store: LeaseStore | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopWatching: (() => void) | undefined;
  /** The step under way: there is one at a time. */
  #step: Promise<void> | undefined;
  #again = false;
  #complaint: string | undefined;
  /** Under way while the bucket is seen to. */
  #ensuring: Promise<void> | undefined;

  constructor(broker: Broker, options: LeadershipOptions) {
    this.#broker = broker;
    this.#options = options;
  }

  get leader(): LeaderInfo | undefined {
    return this.#leader?.info;
  }

  get role(): 'idle' | 'standing-by' | 'leading' | 'uncertain' | 'closed' {
    return this.#state.kind === 'leading' && this.#state.uncertain ? 'uncertain' : this.#state.kind;
  }

  /** Why the lease could not be looked at or written when it was last tried, in one line. */
  get complaint(): string | undefined {
    const { state } = this.#broker;
    return state.kind === 'waiting' ? state.complaint : this.#complaint;
  }

  /**
   * Takes part from now on, also after it was deposed, until closed. Resolves when it does; waits for NATS.
   * @throws RegattaError STREAM_DIFFERS, STREAM_REFUSED, BROKER_CLOSED
   */
  async campaign(): Promise<void> {
    if (this.#state.kind !== 'idle') return;
    this.#standBy();
    const { bucket = 'regatta-leader', replicas = 1 } = this.#options;
    const store = await LeaseStore.open(this.#broker, bucket, replicas);
    if (this.#isClosed()) return;
    this.#store = store;
    this.#stopWatching = this.#broker.onState(({ kind }) => {
      if (kind === 'ready') this.#run();
    });
    this.#run();
  }

  /** Hands over to whoever else stands by, and stands by itself: what keeps it from leading may not keep others. */
  async stepDown(why: string): Promise<void> {
    while (this.#step !== undefined && !this.#isClosed()) await this.#step;
    if (this.#state.kind !== 'leading') return;
    const { revision } = this.#state;
    this.#depose(why, limits.leaseMs);
    await this.#handOver(revision);
  }

  /** Hands over at once where it leads. Ends within `handOverMsMax`, whatever NATS does. */
  async close(): Promise<void> {
    const before = this.#state;
    if (before.kind === 'closed') return;
    this.#state = { kind: 'closed' };
    clearTimeout(this.#timer);
    this.#stopWatching?.();
    await atMost(limits.handOverMsMax, this.#leave(before));
  }

  async #leave(before: State): Promise<void> {
    // It may be writing the lease, and knows the revision then.
    await this.#step;
    if (before.kind === 'leading') await this.#handOver(before.revision);
  }

  async #handOver(revision: number): Promise<void> {
    if (this.#broker.state.kind !== 'ready') return;
    await this.#store?.handOver(revision).catch(() => {});
  }

  #run(): void {
    if (this.#step !== undefined) {
      this.#again = true;
      return;
    }
    clearTimeout(this.#timer);
    this.#step = this.#oneStep().finally(() => {
      this.#step = undefined;
      if (this.#state.kind === 'closed') return;
      const again = this.#again;
      this.#again = false;
      if (again) return this.#run();
      this.#timer = setTimeout(() => this.#run(), this.#waitMs());
      this.#timer.unref();
    });
  }

  #waitMs(): number {
    if (this.#state.kind !== 'leading') return limits.lookMs;
    const sinceMs = performance.now() - this.#state.renewedAtMs;
    return sinceMs < limits.renewMs ? limits.renewMs - sinceMs : limits.lookMs;
  }

  async #oneStep(): Promise<void> {
    const state = this.#state;
    try {
      if (state.kind === 'leading') await this.#renew(state);
      else if (state.kind === 'standing-by') await this.#look(state);
      this.#complaint = undefined;
    } catch (error) {
      this.#complaint = `the lease of the leader cannot be had from NATS: ${messageOf(error)}`;
      if (state.kind === 'leading') this.#doubt(state, messageOf(error));
      // The bucket may have been removed. Not for long: NATS may be about to be found away, and the next step says so.
      if (this.#broker.state.kind === 'ready') await atMost(limits.leaseRequestMs, this.#ensured());
    }
  }

  #isClosed(): boolean {
    return this.#state.kind === 'closed';
  }

  #ensured(): Promise<void> {
    const seenTo = (): void => {
      this.#ensuring = undefined;
    };
    this.#ensuring ??= Promise.resolve(this.#store?.ensure()).then(seenTo, seenTo);
    return this.#ensuring;
  }

  async #renew(state: Leading): Promise<void> {
    // L3: also what was paused itself says so before it asks.
    this.#doubt(state, 'NATS did not answer, or this process was paused');
    const revision = await this.#store!.write(state.self, state.token, state.revision);
    if (revision !== undefined) return this.#renewed(state, revision);
    const lease = await this.#store!.look();
    if (lease.kind === 'held' && lease.token === state.token) return this.#renewed(state, lease.revision);
    if (this.#isClosed()) return;
    if (lease.kind === 'held')
      this.#depose(`${lease.holder.id} leads since ${new Date(lease.holder.sinceMs).toISOString()}`);
    else this.#depose('the lease was removed');
    this.#see(this.#state as StandingBy, lease, performance.now());
  }

  #renewed(state: Leading, revision: number): void {
    state.revision = revision;
    state.renewedAtMs = performance.now();
    if (!state.uncertain) return;
    state.uncertain = false;
    this.#options.onUncertain?.(undefined);
  }

  #doubt(state: Leading, why: string): void {
    const forMs = performance.now() - state.renewedAtMs;
    if (state.uncertain || forMs < limits.leaseMs || this.#state !== state) return;
    state.uncertain = true;
    const { state: broker } = this.#broker;
    const cause = broker.kind === 'waiting' ? broker.complaint : why;
    this.#options.onUncertain?.(`the lease was not renewed for ${Math.round(forMs)} ms: ${cause}`);
  }

  async #look(state: StandingBy): Promise<void> {
    const lease = await this.#store!.look();
    if (this.#isClosed()) return;
    const now = performance.now();
    this.#see(state, lease, now);
    if (now < state.notBeforeMs) return;
    // L2.
    if (lease.kind === 'held' && now - state.sinceMs < limits.leaseMs) return;
    const self = { id: this.#options.id, addresses: this.#options.addresses, sinceMs: Date.now() };
    const token = randomUUID();
    // L1. Counted from before it is asked: the lease is not older for us than for those who look at it.
    const revision = await this.#store!.write(self, token, lease.revision);
    if (revision === undefined) {
      this.#again = true;
      return;
    }
    if (this.#isClosed()) return this.#handOver(revision);
    this.#state = { kind: 'leading', self, token, revision, renewedAtMs: now, uncertain: false };
    this.#follow({ info: self, token });
    this.#options.onElected?.();
  }

  /** L2. */
  #see(state: StandingBy, lease: Lease, now: number): void {
    if (lease.revision !== state.revision || now - state.lookedAtMs > limits.lookGapMs) state.sinceMs = now;
    state.revision = lease.revision;
    state.lookedAtMs = now;
    this.#follow(lease.kind === 'held' ? { info: lease.holder, token: lease.token } : undefined);
  }

  #follow(leader: { readonly info: LeaderInfo; readonly token: string } | undefined): void {
    if (leader?.token === this.#leader?.token && leader?.info.id === this.#leader?.info.id) return;
    this.#leader = leader;
    this.#options.onLeader?.(leader?.info);
  }

  #depose(why: string, pauseMs = 0): void {
    this.#standBy(pauseMs);
    this.#options.onDeposed?.(why);
    this.#run();
  }

  #standBy(pauseMs = 0): void {
    const now = performance.now();
    this.#state = { kind: 'standing-by', revision: -1, sinceMs: now, lookedAtMs: now, notBeforeMs: now + pauseMs };
  }
}
