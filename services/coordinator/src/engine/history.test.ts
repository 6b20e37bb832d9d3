import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Shelf } from './byte-log.ts';
import { History } from './history.ts';
import { limits } from './limits.ts';
import { ResultStore } from './result-store.ts';
import { RunRecord } from './run-record.ts';
import { packOf, requestFor } from './testing/runs.ts';

const counts = { tasks: 10, succeeded: 10, failed: 0, cancelled: 0, inFlight: 0, pending: 0 };
let directory: string;
let shelf: Shelf;
let history: History;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'history-'));
  shelf = new Shelf(directory, Number.POSITIVE_INFINITY);
  history = new History(shelf);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const refuse = (error: Error): never => assert.fail(error);

/** A run with results, which goes on. */
function begin(id: string, tasks = 10): RunRecord {
  const run = new RunRecord(id, requestFor(), 0, new ResultStore(shelf, refuse), false);
  run.results.add({ from: 0, to: tasks, results: packOf(0, tasks) });
  history.add(run);
  return run;
}

function end(run: RunRecord): RunRecord {
  run.end('succeeded', '', counts, 1);
  history.ended(run);
  return run;
}

const inMemory = (runs: readonly RunRecord[]): boolean[] => runs.map(({ results }) => results.bytesInMemory > 0);
const dropped = (runs: readonly RunRecord[]): boolean[] => runs.map(({ results }) => results.dropped);

/** Other logs of the shelf take so much more. What is there cannot be filled in a test. */
function fillMemory(bytes: number): void {
  shelf.memoryBytes += bytes;
}
function fillDisk(bytes: number): void {
  shelf.diskBytes += bytes;
}

/** Writes in the background have ended. */
async function written(run: RunRecord): Promise<void> {
  for (const giveUpAt = performance.now() + 8_000; run.results.bytesInMemory > 0; await turn()) {
    assert.ok(performance.now() < giveUpAt, `waited in vain until ${run.id} is on disk`);
  }
}

async function onDisk(run: RunRecord): Promise<RunRecord> {
  run.results.spillOrDrop();
  await written(run);
  return run;
}

describe('runs', () => {
  it('are listed newest first, and found by their names', () => {
    const runs = ['a', 'b', 'c'].map((id) => begin(id));
    assert.deepEqual(history.list(), runs.toReversed());
    assert.deepEqual([history.get('b'), history.find('d'), history.size], [runs[1], undefined, 3]);
    assert.throws(() => history.get('d'), { code: 'NO_SUCH_RUN', message: 'no run d; see regatta runs' });
  });

  it('that ended longest ago are forgotten beyond so many, whenever they began; those that go on are not', () => {
    const goesOn = begin('goes on');
    const late = begin('begun first, ended last');
    const runs = Array.from({ length: limits.endedRunsMax }, (_, i) => end(begin(`r${i}`, 1)));
    assert.equal(history.find('r0'), runs[0]);
    end(late);
    assert.equal(history.find('r0'), undefined);
    assert.ok(runs[0]!.results.dropped);
    for (const run of [goesOn, late, runs[1]!]) assert.equal(history.find(run.id), run);
    assert.equal(history.size, limits.endedRunsMax + 1);
  });
});

describe('what failures say of their causes', () => {
  const fail = (run: RunRecord, characters: number): void =>
    run.noteFailure({
      task: 1,
      attempt: 1,
      node: 'n',
      code: 'TASK_THREW',
      message: 'm'.repeat(200),
      stack: 's'.repeat(characters),
      exit: undefined,
      signal: '',
      rssBytes: 0,
      stderrTail: 'tail',
    });

  it('is cut short, that of the runs that ended longest ago first, once all of it is too much', () => {
    const runs = ['a', 'b', 'c'].map((id) => begin(id));
    for (const run of runs) fail(run, limits.causeCharactersMax / 2);
    for (const run of runs) end(run);
    assert.deepEqual(
      runs.map(({ failures: [failure] }) => [failure!.message.length, failure!.stack === '', failure!.stderrTail]),
      [
        [limits.causeCharactersShort, true, ''],
        [limits.causeCharactersShort, true, ''],
        [200, false, 'tail'],
      ],
    );
    assert.equal(runs[0]!.failures[0]!.code, 'TASK_THREW');
  });
});

describe('results that take more memory than they may', () => {
  it('are moved to disk, those of the runs that ended longest ago first, down to half of what is allowed', async () => {
    const runs = ['a', 'b', 'c', 'd'].map((id) => end(begin(id)));
    // As if each took a quarter of what is allowed, and all together a little too much.
    for (const { results } of runs) mock.getter(results, 'bytesInMemory', () => limits.keptMemoryBytesMax / 4);
    fillMemory(limits.keptMemoryBytesMax + 1 - shelf.memoryBytes);
    history.makeRoom();
    mock.restoreAll();
    for (const run of runs.slice(0, 3)) await written(run);
    assert.deepEqual(inMemory(runs), [false, false, false, true]);
    assert.deepEqual(dropped(runs), [false, false, false, false]);
  });

  it('stay where they are as long as they fit', async () => {
    const run = end(begin('a'));
    fillMemory(limits.keptMemoryBytesMax - shelf.memoryBytes);
    history.makeRoom();
    await turn();
    assert.deepEqual([shelf.diskBytes, dropped([run])], [0, [false]]);
  });

  it('stay in memory where their run goes on', async () => {
    const [goesOn, ended] = [begin('goes on'), end(begin('ended'))];
    fillMemory(limits.keptMemoryBytesMax);
    history.makeRoom();
    await written(ended);
    assert.deepEqual(inMemory([goesOn, ended]), [true, false]);
  });
});

describe('results that take more disk than they may', () => {
  it('are dropped, oldest first, until the rest fits, and no more of them', async () => {
    const goesOn = await onDisk(begin('goes on'));
    const runs: RunRecord[] = [];
    for (const id of ['a', 'b', 'c', 'd']) runs.push(await onDisk(end(begin(id))));
    shelf.diskBytes = 0;
    fillDisk(limits.keptDiskBytesMax + runs[0]!.results.bytes + 1);
    history.makeRoom();
    assert.deepEqual(dropped([goesOn, ...runs]), [false, true, true, false, false]);
    assert.equal(history.get('a'), runs[0]);
  });

  it('are not dropped for it where they are in memory', async () => {
    const [small, large] = [end(begin('in memory')), await onDisk(end(begin('on disk')))];
    fillDisk(limits.keptDiskBytesMax);
    history.makeRoom();
    assert.deepEqual(dropped([small, large]), [false, true]);
  });

  it('are dropped when the next run ends, too', async () => {
    const run = await onDisk(end(begin('a')));
    fillDisk(limits.keptDiskBytesMax + 1);
    const next = end(begin('b'));
    assert.deepEqual(dropped([run, next]), [true, false]);
  });

  it('stay as long as they fit', () => {
    const run = end(begin('a'));
    fillDisk(limits.keptDiskBytesMax);
    history.makeRoom();
    assert.deepEqual(dropped([run]), [false]);
  });
});
