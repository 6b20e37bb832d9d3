/**
 * Anything may dial a coordinator and be its client: what it asks for is made up, misspelt, too much, or never read.
 * REGATTA_SEED replays a failure.
 */
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { ControlServiceService, RunSpec, SubmitRunRequest } from '@regatta/proto/control';
import { field, frame, integerField, mutated, Peer, specOf } from './hostile.ts';
import { assertPlausible, inBatches, Siege } from './hostile-siege.ts';

const MUTATIONS = 2_000;
const UNREAD_WATCHERS = 200;
const MIB = 1_048_576;

const { submitRun, watchRun, streamResults } = ControlServiceService;
const PATHS = Object.values(ControlServiceService).map(({ path }) => path);

const runIdFrame = (runId: string): Buffer => frame(field(1, Buffer.from(runId)));

describe('while a coordinator is sent', () => {
  const siege = new Siege();

  siege.sent('runs with a few bytes changed, it takes or refuses each', async (chance) => {
    const spec = specOf('nobody-offers-this', { count: 7 }, { taskTimeoutMs: 5_000, deadlineMs: 60_000 });
    const right = SubmitRunRequest.encode({ spec }).finish();
    await inBatches(MUTATIONS, async (count) => {
      const calls = Array.from({ length: count }, () => siege.peer.call(submitRun.path, frame(mutated(right, chance))));
      // OK, INVALID_ARGUMENT, or INTERNAL where it could not be read
      for (const ending of await Promise.all(calls)) assert.match(ending, /^status (0|3|13)$/);
    });
    await siege.cancelAll();
  });

  siege.sent('specs of numbers that are none, it refuses each', async () => {
    const spec = specOf('nobody-offers-this', { count: 7 });
    const submit = (bytes: Uint8Array): Promise<string> => siege.peer.call(submitRun.path, frame(field(1, bytes)));
    for (const name of ['taskTimeoutMs', 'deadlineMs'] as const) {
      for (const ms of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, 1e308]) {
        assert.equal(await submit(RunSpec.encode({ ...spec, [name]: ms }).finish()), 'status 3', `${name} ${ms}`);
      }
    }
    const right = RunSpec.encode(spec).finish();
    const [tasks, nodes, chunk, retries] = [4, 7, 9, 10];
    for (const number of [tasks, nodes, chunk, retries]) {
      for (const value of [2n ** 53n + 1n, 2n ** 64n - 1n, 2n ** 63n + 1n, 2n ** 31n]) {
        const ending = await submit(Buffer.concat([right, integerField(number, value)]));
        // A uint32 has only the low bits of a longer one.
        const small = (number === nodes || number === retries) && (value & 0xffff_ffffn) === 1n;
        assert.match(ending, small ? /^status 0$/ : /^status (3|13)$/, `field ${number} of ${value}`);
      }
    }
    await siege.cancelAll();
  });

  siege.sent(
    'specs of odd names and inputs, it refuses what it cannot keep, and the node survives the rest',
    async () => {
      const refused: Partial<RunSpec>[] = [
        { paramsJson: '['.repeat(60_000) },
        { paramsJson: `${'{"a":'.repeat(9_000)}1${'}'.repeat(9_000)}` },
        { paramsJson: '{"__proto__":{"x":1}}' },
        { paramsJson: `{"a":"${'x'.repeat(66_000)}"}` },
        { paramsJson: '' },
        { workload: '__proto__' },
        { workload: '\u001b[2J' },
        { workload: 'x'.repeat(MIB) },
        { model: 'x'.repeat(8 * MIB) },
        { model: '\u001b[2J' },
        { policy: '__proto__' },
        { policy: 'x'.repeat(MIB) },
        { shape: { processes: 0xffff_ffff, threads: 0xffff_ffff, concurrency: 0xffff_ffff } },
      ];
      for (const over of refused) {
        const request = SubmitRunRequest.encode({ spec: specOf('noop', { count: 3 }, over) }).finish();
        assert.equal(
          await siege.peer.call(submitRun.path, frame(request)),
          'status 3',
          JSON.stringify(over).slice(0, 100),
        );
      }
      for (const paramsJson of [
        '{"count":3,"__proto__":1}',
        '{"constructor":"x"}',
        '{"count":1e999}',
        '{"count":-0}',
      ]) {
        const runId = await siege.good.submit(specOf('noop', { count: 3 }, { paramsJson, retries: 0 }));
        await siege.good.values(runId);
        assertPlausible(await siege.good.run(runId));
      }
    },
  );

  siege.sent('ids of runs that are none, it refuses each', async (chance) => {
    const ids = ['', 'run-x', '__proto__', '\ud800', '\u001b[2J', 'é'.repeat(500), chance.bytes(30).toString('latin1')];
    for (const path of PATHS.filter((method) => /Run$|Results$/.test(method) && !method.includes('Submit'))) {
      for (const id of ids) assert.equal(await siege.peer.call(path, runIdFrame(id)), 'status 5', `${path} of ${id}`);
      // An answer that named it would not fit into a header.
      const other = new Peer(siege.address);
      assert.match(await other.call(path, runIdFrame('x'.repeat(MIB))), /^(status \d+|reset)$/);
      other.close();
    }
  });

  siege.sent('the longest of reasons for a cancellation, it still lists its runs', async () => {
    const runId = await siege.good.submit(specOf('nobody-offers-this', { count: 1 }));
    await siege.good.cancel(runId, 'x'.repeat(8 * MIB));
    await siege.good.unended();
    assert.ok((await siege.good.run(runId)).reason.length < MIB);
  });

  siege.sent('watchers that never read, it goes on', async () => {
    for (let i = 0; i < UNREAD_WATCHERS; i++) {
      const path = i % 2 === 0 ? watchRun.path : streamResults.path;
      siege.peer.open(path).end(runIdFrame(siege.honestRun));
    }
    await siege.good.nodes();
  });

  siege.isOver();
});
