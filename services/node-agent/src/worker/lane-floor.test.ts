import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineWorkload } from '@regatta/workloads';
import { workThrough } from './lane.ts';
import { Thread } from './thread.ts';

const LANES = [0, 1, 2];

/** Lanes of one thread with a time limit, each with a task; what they say is out only when `let out` is called. */
function begin() {
  const events: string[] = [];
  let waiting: PromiseWithResolvers<void> | undefined;
  const workload = defineWorkload({
    name: 'sample',
    kind: 'cpu',
    summary: 'for tests',
    parameters: {},
    tasks: () => LANES.length,
    run: (_params, { task }) => void events.push(`runs ${task}`),
    combine: () => undefined,
  });
  const run = { runId: 'r', workload: 'sample', params: {}, concurrency: LANES.length, taskTimeoutMs: 1_000 };
  const outlet = {
    emit: ({ attemptId, end }: { attemptId: number; end: { kind: string } }) => {
      if (end.kind !== 'open') return;
      events.push(`says ${attemptId}`);
      waiting = Promise.withResolvers();
    },
    emitLate: () => {},
    abandoned: () => {},
    flushed: () => waiting?.promise,
  };
  const thread = new Thread();
  const cancelled = new AbortController().signal;
  const ended = LANES.map((lane) => {
    const chunk = { attemptId: lane, runId: 'r', from: lane, to: lane + 1, attempt: 1, inputs: new Uint8Array(0) };
    return workThrough({ workload, run, chunk, receivedAt: 0, shared: undefined, cancelled, outlet }, thread);
  });
  const letOut = (): void => {
    waiting?.resolve();
    waiting = undefined;
  };
  return { events, letOut, ended: Promise.all(ended) };
}

describe('lanes of a thread, while a time limit is set', () => {
  it('begin no task before their word is out, and no other lane speaks in between', async () => {
    const { events, letOut, ended } = begin();
    for (const lane of LANES) {
      await sleep(5);
      assert.equal(events.at(-1), `says ${lane}`, 'it ran before its word was out');
      letOut();
    }
    await ended;
    assert.deepEqual(
      events,
      LANES.flatMap((lane) => [`says ${lane}`, `runs ${lane}`]),
    );
  });
});
