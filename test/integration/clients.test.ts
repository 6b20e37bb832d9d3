/** Clients that go away, or read slower than results come, cost the coordinator and the others nothing. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { credentials } from '@grpc/grpc-js';
import { ControlServiceClient, type StreamResultsResponse } from '@regatta/proto/control';
import { type Cluster, eventually, isConnectedTo, memoryMiBOf } from './cluster.ts';
import { type Direct, oneForAll, valuesIn } from './direct.ts';

const MIB = 2 ** 20;
/** Of a MiB each: three times what a coordinator means to keep in memory. */
const RESULTS = 768;
/** Beside what it keeps: buffers on their way, and what the collector has not got round to. */
const RSS_BESIDES_MIB = 130;
const WATCHERS = 4;

describe('a client of a run that goes on', () => {
  let cluster: Cluster;
  let direct: Direct;
  oneForAll((started, client) => {
    cluster = started;
    direct = client;
  });

  it('may be killed with -9 while it watches: the run ends right, and others can watch', async () => {
    const runId = await direct.submit('synthetic', { count: 400, cpuMs: 0, ioMs: 50 }, { model: 'async' });
    const port = Number(cluster.address.split(':').at(-1));
    const watchers = Array.from({ length: WATCHERS }, (_, i) => cluster.start([i % 2 ? 'watch' : 'results', runId]));
    for (const { child } of watchers) {
      await eventually(() => isConnectedTo(child.pid!, port), 15_000, 'it to reach the coordinator');
    }
    for (const { child } of watchers) child.kill('SIGKILL');
    for (const { ended } of watchers) assert.equal((await ended).signal, 'SIGKILL');
    assert.equal((await direct.client.run(runId)).state, 'running', 'the run was over too soon');
    const { code, stdout } = await cluster.regatta(['watch', runId]);
    assert.equal(code, 0, stdout);
    assert.equal((await direct.values(runId)).size, 400);
  });

  it('may stop reading results: what the coordinator keeps in memory is bounded, and it gets them all later', async () => {
    await direct.run('synthetic', { count: 8, cpuMs: 0, bytes: MIB }); // so that its code and buffers are there
    const { pid, limits } = await direct.client.status();
    // Twice its limit is where it waits for the disk.
    const keptMiB = (2 * limits.find(({ name }) => name === 'keptMemoryBytesMax')!.value) / MIB;
    assert.ok(RESULTS > keptMiB + RSS_BESIDES_MIB, 'too few results to tell');
    const rssBefore = memoryMiBOf(pid);
    const reader = new ControlServiceClient(cluster.address, credentials.createInsecure(), UNBOUNDED);
    try {
      const inputs = { count: RESULTS, cpuMs: 0, ioMs: 5, bytes: MIB };
      const runId = await direct.submit('synthetic', inputs, { model: 'async', concurrency: 2, policy: 'self' });
      const stream = reader.streamResults({ runId }).on('error', () => {});
      const [first] = (await once(stream, 'data')) as [StreamResultsResponse];
      stream.pause();
      assert.equal((await direct.ended(runId)).succeeded, RESULTS);
      const grownMiB = memoryMiBOf(pid) - rssBefore;
      assert.ok(grownMiB < keptMiB + RSS_BESIDES_MIB, `it grew by ${grownMiB} MiB over ${RESULTS} MiB of results`);
      assert.equal(await rightResults(first, stream), RESULTS);
    } finally {
      reader.close();
    }
  });
});

const UNBOUNDED = { 'grpc.max_receive_message_length': -1 };

/** Reads on to the end. @returns how many tasks have a result. @throws where one has two, or a wrong one */
async function rightResults(first: StreamResultsResponse, rest: AsyncIterable<StreamResultsResponse>): Promise<number> {
  const seen = new Set<number>();
  const take = ({ parts }: StreamResultsResponse): void => {
    for (const [task, value] of valuesIn(parts)) {
      assert.ok(!seen.has(task), `task ${task} has two results`);
      seen.add(task);
      // As synthetic makes them: its index as 32-bit words.
      const expected = Buffer.from(new Uint32Array(MIB / 4).fill(task).buffer);
      assert.ok(expected.equals(value as Uint8Array), `the result of task ${task} is wrong`);
    }
  };
  take(first);
  for await (const response of rest) take(response);
  return seen.size;
}
