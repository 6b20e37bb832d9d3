/** Outcomes in which nothing is as it should be. */
import type { Assignment } from '@regatta/proto/node';
import { pack, packCount, unpack } from '@regatta/workloads';
import { type Chance, honest } from './hostile.ts';

const MIB = 1_048_576;

/** What is said otherwise than an honest node would. @param otherRun that the node has nothing of */
export type Lie = (given: Assignment, chance: Chance, otherRun: string) => object;

/** What a node makes of an assignment that it was really given. */
export const lies: Readonly<Record<string, Lie>> = {
  'random bytes for results': (_given, chance) => ({ results: chance.bytes(100) }),
  'a pack whose table lies': (given) => ({ results: tableLies(honest(given).results) }),
  'a table that lies beside a failure': (given) => ({
    results: tableLies(honest(given).results),
    failures: [failureOf(given.from)],
  }),
  'a pack of too many': (given) => ({
    results: pack(Array.from({ length: 99 }, () => Buffer.of(0))),
    from: given.from,
  }),
  'no results at all': () => ({ results: Buffer.alloc(0) }),
  'success without a result': (given) => ({ results: pack(entriesOf(given).map(() => Buffer.alloc(0))) }),
  'a failure with a result': (given) => ({ failures: [failureOf(given.from)] }),
  'tasks before its own': (given) => honest({ ...given, from: 0, to: given.to }),
  'tasks beyond its own': (given) => honest({ ...given, to: given.to + 5 }),
  'tasks backwards': ({ from, to }) => ({ from: to, to: from }),
  'wall times of a wrong length': () => ({ timing: { wallUs: Buffer.alloc(4_001) } }),
  'times that are no numbers': () => ({
    timing: {
      cpuMs: Number.NaN,
      laneMs: -1,
      residentMs: Number.NEGATIVE_INFINITY,
      stallMs: Number.POSITIVE_INFINITY,
    },
  }),
  'amounts that are too large to add up': () => ({
    timing: {
      ...{ bytes: Number.MAX_SAFE_INTEGER, hostRssBytes: Number.MAX_SAFE_INTEGER },
      ...{ cpuMs: 1e308, throttledMs: 1e308, host: 1 },
    },
  }),
  'failures of others': (given) => failing(given, [given.to + 3]),
  'the same failure twice': (given) => failing(given, [given.from, given.from]),
  'failures with huge texts': (given) => failing(given, [given.from], 'x'.repeat(10 * MIB)),
  'an end with nothing done': ({ from }) => ({ to: from, results: pack([]) }),
  'a loss that blames a stranger': ({ from }) => ({
    ...{ to: from, results: pack([]) },
    end: { $case: 'lost', value: { code: 'x'.repeat(MIB), message: 'y'.repeat(MIB), culprit: 1e9 } },
  }),
  'that it stopped, unasked': ({ from }) => ({
    ...{ to: from, results: pack([]) },
    end: { $case: 'stopped', value: true },
  }),
  "another run's name": (_given, _chance, otherRun) => ({ runId: otherRun }),
  'a name of a megabyte': () => ({ runId: 'x'.repeat(MIB) }),
  "another node's attempt": ({ attemptId }) => ({ attemptId: attemptId + 1 }),
};

const entriesOf = ({ from, to }: Assignment): undefined[] => Array.from({ length: to - from });

const failureOf = (task: number, text = 'made up') => ({ task, code: 'TASK_THREW', message: text, stack: text });

const failing = (given: Assignment, tasks: readonly number[], text?: string): object => ({
  results: pack(
    unpack(honest(given).results).map((entry, i) => (tasks.includes(given.from + i) ? Buffer.alloc(0) : entry)),
  ),
  failures: tasks.map((task) => failureOf(task, text)),
});

/** As many entries as it should have, but a table that cannot be: found by trying, so that no layout is known here. */
function tableLies(honest: Uint8Array): Buffer {
  // Of one size, entries would need no table.
  const results = pack(unpack(honest).map((_, i) => Buffer.alloc(i + 1)));
  for (let at = 0; at < results.length; at++) {
    const lie = Buffer.from(results);
    lie[at]! ^= 0xff;
    if (countIn(lie) === packCount(results) && !isPack(lie)) return lie;
  }
  throw new Error('no byte of a pack is one that only its table tells of');
}

function countIn(bytes: Uint8Array): number {
  try {
    return packCount(bytes);
  } catch {
    return -1;
  }
}

function isPack(bytes: Uint8Array): boolean {
  try {
    unpack(bytes);
    return true;
  } catch {
    return false;
  }
}
