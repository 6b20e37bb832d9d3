/**
 * `Scheduler.step` alone: events a second, in this process, on one core, with nodes that exist only as a list of the
 * chunks they hold. An event is one report that completes a chunk; making it, and keeping that list, is in the time.
 *
 * Against a bare loop of Map reads and writes, which is what books are made of: the ratio says how many Map operations
 * one event costs, on any machine. The goal is absolute: 500,000 events a second.
 */
import { median } from '@regatta/kernel';
import { type Effect, type Event, type PolicyName, Scheduler } from '@regatta/scheduler';
import type { Bench, Figure } from './figure.ts';
import { rateFigure } from './figure.ts';
import { digits } from './numbers.ts';

const ROUNDS = 3;
const TASKS = 10_000_000;
const WARM_UP_TASKS = 1_000_000;
const CHUNK = 10;
const GOAL_EVENTS_PER_S = 500_000;
const MAP_OPERATIONS = 10_000_000;
/** So long that an `awf` chunk, which should last 50 ms, is of ten tasks as well: as many events, each with a choice. */
const TASK_MS = 5;

const CONTENDERS: readonly { readonly name: string; readonly policy: PolicyName; readonly chunk: number }[] = [
  { name: `10M tasks in chunks of ${CHUNK} (self)`, policy: 'self', chunk: CHUNK },
  { name: '10M tasks of 5 ms (awf)', policy: 'awf', chunk: 0 },
];

export const scheduler: Bench = async () => {
  const bare: number[] = [];
  const measured = CONTENDERS.map((): number[] => []);
  for (let round = 0; round <= ROUNDS; round++) {
    const warmUp = round === 0;
    process.stderr.write(`scheduler: round ${round} of ${ROUNDS}${warmUp ? ' (warm-up, not counted)' : ''}\n`);
    const operationsPerS = timeMap();
    if (!warmUp) bare.push(operationsPerS);
    for (const [i, { policy, chunk }] of CONTENDERS.entries()) {
      const eventsPerS = timeSteps(policy, chunk, warmUp ? WARM_UP_TASKS : TASKS);
      if (!warmUp) measured[i]!.push(eventsPerS);
    }
  }
  return CONTENDERS.map(({ name }, i) => figureOf(name, median(measured[i]!), median(bare)));
};

function figureOf(name: string, value: number, reference: number): Figure {
  const against = `bare Map get/set (${digits(reference)} a second); goal ${digits(GOAL_EVENTS_PER_S)} events/s`;
  const goalValue = GOAL_EVENTS_PER_S;
  return rateFigure({ name: `scheduler: ${name}`, value, unit: 'events/s', reference, against, goalValue });
}

/** One run on two nodes of two cores each, from its submission to its end. @returns events a second */
function timeSteps(policy: PolicyName, chunk: number, tasks: number): number {
  const core = new Scheduler();
  const held: Extract<Effect, { kind: 'assign' }>[] = [];
  let now = 0;
  const step = (event: Event): void => {
    for (const effect of core.step(event, now)) if (effect.kind === 'assign') held.push(effect);
  };
  for (const id of ['a', 'b']) {
    step({ kind: 'nodeJoined', node: { id, incarnation: 1, machine: id, cores: 2, workloads: ['noop'] } });
  }
  const shape = { processes: 0, threads: 1, concurrency: 1 };
  const plan = { runId: 'r1', workload: 'noop', tasks, shape, nodes: 0, policy, chunk, retries: 0, deadlineMs: 0 };
  step({ kind: 'runSubmitted', plan });
  let events = 0;
  const startedAt = performance.now();
  for (let order = held.shift(); order !== undefined; order = held.shift()) {
    now++;
    events++;
    step(completionOf(order));
  }
  const seconds = (performance.now() - startedAt) / 1000;
  if (core.runs.size > 0) throw new Error(`the run did not end after ${events} events`);
  return events / seconds;
}

function completionOf({ nodeId, incarnation, attemptId, from, to }: Extract<Effect, { kind: 'assign' }>): Event {
  const busyMs = (to - from) * TASK_MS;
  const end = { kind: 'completed' } as const;
  return { kind: 'attemptReported', nodeId, incarnation, attemptId, from, to, failed: [], busyMs, bytes: 0, end };
}

/** @returns gets and sets of a Map of a thousand entries, a second */
function timeMap(): number {
  const counts = new Map<number, number>();
  const startedAt = performance.now();
  for (let i = 0; i < MAP_OPERATIONS / 2; i++) counts.set(i % 1000, (counts.get(i % 1000) ?? 0) + 1);
  const seconds = (performance.now() - startedAt) / 1000;
  // Looked at, so that the loop cannot be optimised away.
  if (counts.get(0) !== MAP_OPERATIONS / 2 / 1000) throw new Error('the Map lost count');
  return MAP_OPERATIONS / seconds;
}
