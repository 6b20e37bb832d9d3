/**
 * Which of several coordinators a call goes to: the one that answered last, then the others that are known, then the
 * one that a stand-by names as leading. Knows nothing of what is asked.
 *
 * - L1: what must not be done twice goes to another only where it certainly was not done by the one before.
 * - L2: where nobody is there at all, that is said at once; where some stand by, one of them will lead soon.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { RegattaError } from '@regatta/kernel';
import { MEND, Unanswered } from './call-errors.ts';
import { limits } from './limits.ts';

export interface Manner {
  /** L1. */
  readonly once?: boolean;
  /** A coordinator is known to come, though nobody is there now: looks for so long. */
  readonly successorMs?: number;
  /** Says nothing while it looks. */
  readonly quiet?: boolean;
  /** No more is tried when it fires; a call that is out is awaited. */
  readonly abort?: AbortSignal | undefined;
}

interface Found<T> {
  readonly answer?: { readonly is: T };
  readonly misses: readonly Unanswered[];
}

export class LeaderSearch<Stub extends { close(): void }> {
  readonly #given: readonly string[];
  readonly #dial: (address: string) => Stub;
  readonly #say: (line: string) => void;
  readonly #stubs = new Map<string, Stub>();
  #named: readonly string[] = [];
  #at: string;
  /** Calls that are made side by side wait for the same. */
  #said = '';

  /** @param addresses at least one. @param say is told, in a line, that a search takes long */
  constructor(addresses: readonly string[], dial: (address: string) => Stub, say: (line: string) => void) {
    this.#given = addresses;
    this.#dial = dial;
    this.#say = say;
    this.#at = addresses[0]!;
  }

  /** Of the one that answered last. */
  get address(): string {
    return this.#at;
  }

  get stub(): Stub {
    return this.#stubAt(this.#at);
  }

  /** @throws what the call throws, unless another coordinator may do better; RegattaError UNREACHABLE where none does */
  async ask<T>(call: (stub: Stub, address: string) => Promise<T>, manner: Manner = {}): Promise<T> {
    const { successorMs, quiet = false, abort } = manner;
    const startedAt = performance.now();
    let said = quiet;
    for (;;) {
      const { answer, misses } = await this.#askEach(call, manner);
      if (answer !== undefined) {
        this.#said = '';
        return answer.is;
      }
      const waited = performance.now() - startedAt;
      const standBy = misses.find(({ lack }) => lack === 'standsBy');
      if (standBy === undefined && successorMs === undefined) throw nobodyOf(misses);
      const patienceMs = successorMs ?? limits.leaderMsMax;
      if (waited > patienceMs) throw noLeaderOf(misses, waited);
      if (!said && waited > limits.leaderQuietMs) {
        const { address, why } = standBy ?? misses[0]!;
        this.#sayOnce(`waiting up to ${patienceMs / 1000} s for a coordinator that leads; ${address}: ${why}`);
        said = true;
      }
      await sleep(limits.leaderLookMs);
      if (abort?.aborted) throw abort.reason;
    }
  }

  close(): void {
    for (const stub of this.#stubs.values()) stub.close();
  }

  /** Each once, until one answers. */
  async #askEach<T>(call: (stub: Stub, address: string) => Promise<T>, { once }: Manner): Promise<Found<T>> {
    const misses: Unanswered[] = [];
    const asked = new Set<string>();
    const next = [this.#at, ...this.#given, ...this.#named];
    for (let address = next.shift(); address !== undefined; address = next.shift()) {
      // One that stands by may name any number of others, in turn.
      if (asked.has(address) || asked.size === 2 * limits.coordinatorsMax) continue;
      asked.add(address);
      try {
        const is = await call(this.#stubAt(address), address);
        this.#at = address;
        return { answer: { is }, misses };
      } catch (thrown) {
        if (!(thrown instanceof Unanswered) || thrown.lack === 'failed' || (once && !thrown.untouched)) throw thrown;
        misses.push(thrown);
        if (thrown.leaders.length === 0) continue;
        this.#named = thrown.leaders;
        next.unshift(...thrown.leaders);
      }
    }
    return { misses };
  }

  #sayOnce(line: string): void {
    if (line !== this.#said) this.#say(line);
    this.#said = line;
  }

  #stubAt(address: string): Stub {
    const stub = this.#stubs.get(address) ?? this.#dial(address);
    this.#stubs.set(address, stub);
    return stub;
  }
}

const listOf = (misses: readonly Unanswered[]): string =>
  misses.map(({ address, why }) => `${address}: ${why}`).join('; ');

function nobodyOf(misses: readonly Unanswered[]): RegattaError {
  if (misses.length === 1) return misses[0]!;
  return new RegattaError('UNREACHABLE', `no coordinator answers (${listOf(misses)}); ${MEND}`);
}

const noLeaderOf = (misses: readonly Unanswered[], waitedMs: number): RegattaError =>
  new RegattaError('UNREACHABLE', `no coordinator led within ${Math.round(waitedMs / 1000)} s (${listOf(misses)})`);
