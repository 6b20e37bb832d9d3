/**
 * A coordinator to which a test sends what it likes, while all goes on that always does: an honest node has an honest
 * run, and a client asks all the time. Whatever came, the process goes on, others are served as fast as ever, runs end
 * right, and nothing is kept for those who came.
 */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import type { RunStatus } from '@regatta/proto/control';
import { Cluster } from './cluster.ts';
import { type Chance, GoodClient, Peer, rssMiBOf, seeded, specOf } from './hostile.ts';
import { sumsFrom } from './wire.ts';

export const ANSWER_MS_MAX = 2_000;
// Dead buffers of large messages count as heap and wait for its next collection.
const RSS_GROWTH_MIB_MAX = 800;
const AT_ONCE = 50;
export const SUCCEEDED = 4;
const SUMS = { count: 150, n: 2_000_000 };

export class Siege {
  /** Sums that the honest run of the whole siege has. */
  readonly sums = SUMS.count;
  #cluster: Cluster | undefined;
  #good: GoodClient | undefined;
  #peer: Peer | undefined;
  #runId = '';
  #incarnation = 0;
  #rssBeforeMiB = 0;
  #lastWords = '';
  #streams = 0;

  /** To be made in a suite: it begins before the suite's first test and ends after its last. */
  constructor() {
    before(() => this.#begin());
    after(() => this.#end());
  }

  get address(): string {
    return this.#cluster!.address;
  }

  get pid(): number {
    return this.#cluster!.coordinator.pid!;
  }

  /** A client that behaves. */
  get good(): GoodClient {
    return this.#good!;
  }

  /** One that need not. */
  get peer(): Peer {
    return this.#peer!;
  }

  /** The run that was there before anything came, and goes on. */
  get honestRun(): string {
    return this.#runId;
  }

  /** An `it` on its own stream of chance, after which the coordinator still is who it was. */
  sent(name: string, test: (chance: Chance) => Promise<void>): void {
    const run = seeded(this.#streams++, async (chance) => {
      await test(chance).catch((thrown: Error) => {
        const { exitCode } = this.#cluster!.coordinator;
        assert.equal(exitCode, null, `it ended: ${this.#lastWords} after ${thrown.stack}`);
        throw thrown;
      });
      await this.good.nodes();
    });
    it(name, run);
  }

  /** The suite's last test. */
  isOver(): void {
    it('all that: it is the same process, no larger, and its clients and runs have noticed nothing', async () => {
      await this.#assertSums(this.#runId);
      await this.#assertSums(await this.#submitSums());
      await this.good.stopAsking();
      assert.ok(this.good.worstMs < ANSWER_MS_MAX, `a client waited ${this.good.worstMs} ms`);
      this.peer.close();
      assert.ok(await this.onlyOursAlive());
      assert.deepEqual(await this.good.unended(), []);
      const { exitCode, signalCode } = this.#cluster!.coordinator;
      assert.deepEqual([exitCode, signalCode], [null, null]);
      const grew = rssMiBOf(this.pid) - this.#rssBeforeMiB;
      assert.ok(grew < RSS_GROWTH_MIB_MAX, `it grew by ${grew} MiB`);
      assert.equal(this.#lastWords, '');
    });
  }

  /** Of all nodes that came, the honest one alone is there, in its first life. */
  async onlyOursAlive(): Promise<boolean> {
    const alive = (await this.good.nodes()).filter(({ state }) => state === 'alive');
    return alive.length === 1 && alive[0]!.id === 'node-1' && alive[0]!.incarnation === this.#incarnation;
  }

  /** All runs but the honest one. */
  async cancelAll(): Promise<void> {
    for (const runId of await this.good.unended()) if (runId !== this.#runId) await this.good.cancel(runId);
  }

  async #begin(): Promise<void> {
    this.#cluster = await Cluster.start({ agents: 1 });
    this.#cluster.coordinator.stderr!.on('data', (text: string) => {
      this.#lastWords += text;
    });
    this.#good = new GoodClient(this.address);
    await this.good.values(await this.good.submit(specOf('noop', { count: 2_000 })));
    this.#incarnation = (await this.good.nodes())[0]!.incarnation;
    this.#rssBeforeMiB = rssMiBOf(this.pid);
    this.#runId = await this.#submitSums();
    this.#peer = new Peer(this.address);
    this.good.startAsking();
  }

  /** Also where the beginning has failed half way: what is left open would keep this process. */
  async #end(): Promise<void> {
    this.#peer?.close();
    this.#good?.close();
    await this.#cluster?.stop();
  }

  #submitSums(): Promise<string> {
    return this.good.submit(specOf('number-cruncher', SUMS, { chunk: 1 }));
  }

  async #assertSums(runId: string): Promise<void> {
    assert.deepEqual(await this.good.values(runId), sumsFrom(SUMS.n, SUMS.count));
    assert.equal((await this.good.run(runId)).state, SUCCEEDED);
  }
}

/** Many of something, but not all at once. */
export async function inBatches(count: number, batch: (count: number) => Promise<void>): Promise<void> {
  for (let done = 0; done < count; done += AT_ONCE) await batch(Math.min(AT_ONCE, count - done));
}

/** No sum has been spoilt: every one is a number that a wire and a person can read. */
export function assertPlausible({ accounting, wallMs }: RunStatus): void {
  for (const [name, value] of Object.entries({ ...accounting, wallMs })) {
    if (typeof value !== 'number') continue;
    assert.ok(value >= 0 && value < 1e15, `${name} is ${value}`);
  }
}
