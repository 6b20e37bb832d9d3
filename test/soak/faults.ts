/**
 * What the soak does to the cluster while it works: seeded, without a pause, each kind again and again.
 *
 * - F1: one node is in trouble at a time, so that there is always one to work: a standstill is never the soak's doing.
 * - F2: only node-2 is killed. What is said of the memory of agents rests on node-1, which lives throughout.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isRunning } from '../integration/cluster.ts';
import { Chance } from '../integration/hostile.ts';
import { Deck } from './deck.ts';
import type { FaultKind, Journal } from './journal.ts';
import type { NodeName, Site } from './site.ts';
import type { Tally } from './tally.ts';

const NODES: readonly NodeName[] = ['node-1', 'node-2'];
const HOST_KILL_MS = [1_500, 5_000] as const;

export interface Pace {
  /** Between two troubles of nodes, in ms: least and most. */
  readonly pauseMs: readonly [number, number];
  /** How long an agent stands still, likewise. */
  readonly stopMs: readonly [number, number];
}

/** All until told to stop; then what is under way is brought to its end. */
export async function strike(
  site: Site,
  journal: Journal,
  tally: Tally,
  { seed, pace, stop }: { seed: number; pace: Pace; stop: AbortSignal },
): Promise<void> {
  await Promise.all([
    strikeNodes(site, journal, tally, new Chance(seed, 101), pace, stop),
    killHosts(site, journal, new Chance(seed, 102), stop),
  ]);
}

async function strikeNodes(
  site: Site,
  journal: Journal,
  tally: Tally,
  chance: Chance,
  { pauseMs, stopMs }: Pace,
  stop: AbortSignal,
): Promise<void> {
  const kinds = ['kill-agent', 'stop-agent', 'drain-node'] as const;
  const deck = new Deck<(typeof kinds)[number]>(kinds, chance);
  const troubles: Readonly<Record<(typeof kinds)[number], () => Promise<void>>> = {
    'kill-agent': () => site.replaceAgent('node-2'),
    'stop-agent': () => site.stopAgent(chance.pick(NODES), between(chance, stopMs)),
    'drain-node': () => drain(site, chance.pick(NODES), chance.below(2) === 0, between(chance, [500, 3_000])),
  };
  for (;;) {
    await pause(between(chance, pauseMs), stop);
    if (stop.aborted) return;
    const kind = deck.draw();
    await struck(journal, kind, async () => {
      try {
        await troubles[kind]();
      } catch (thrown) {
        tally.wrong(`${kind}: ${(thrown as Error).message}`);
      }
    });
  }
}

async function drain(site: Site, name: NodeName, handBack: boolean, ms: number): Promise<void> {
  await site.client.drain(name, handBack);
  await sleep(ms);
  await site.client.resume(name);
  await site.comesBack(name);
}

async function killHosts(site: Site, journal: Journal, chance: Chance, stop: AbortSignal): Promise<void> {
  for (;;) {
    await pause(between(chance, HOST_KILL_MS), stop);
    if (stop.aborted) return;
    const hosts = site.hosts(chance.pick(NODES)).filter(isRunning);
    if (hosts.length === 0) continue;
    await struck(journal, 'kill-host', async () => {
      try {
        process.kill(chance.pick(hosts), 'SIGKILL');
      } catch {
        // It ended by itself in the meantime.
      }
    });
  }
}

async function struck(journal: Journal, kind: FaultKind, blow: () => Promise<void>): Promise<void> {
  const over = journal.begin(kind);
  await blow();
  over();
}

const between = (chance: Chance, [least, most]: readonly [number, number]): number =>
  least + chance.below(most - least);

const pause = (ms: number, stop: AbortSignal): Promise<void> => sleep(ms, undefined, { signal: stop }).catch(() => {});
