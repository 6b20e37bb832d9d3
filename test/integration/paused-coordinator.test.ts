import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { eventually, Sandbox } from './cluster.ts';
import type { RunJson } from './wire.ts';

interface NodeJson {
  readonly id: string;
  readonly pid: number;
  readonly state: string;
}

// Longer than the lease, after which agents count their coordinator as gone.
const FELL_SILENT = /fell silent/;

describe('a coordinator that was paused past the lease', () => {
  it('gets its nodes back, the same processes as before, and runs go well', async () => {
    await using sandbox = new Sandbox();
    const up = await sandbox.json<{ coordinator: { pid: number }; nodes: NodeJson[] }>(['up']);
    const { pid } = up.coordinator;
    const logOf = (id: string) => sandbox.log(`agent-${id}.log`);
    process.kill(pid, 'SIGSTOP');
    try {
      await eventually(() => up.nodes.every(({ id }) => FELL_SILENT.test(logOf(id))), 15_000, 'agents to give up');
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await eventually(
      () => up.nodes.every(({ id }) => logOf(id).split(' joined ').length === 3),
      15_000,
      'agents to join again',
    );
    const nodes = await sandbox.json<NodeJson[]>(['nodes']);
    const states = nodes.map((node) => [node.pid, node.state]);
    assert.deepEqual(
      states,
      up.nodes.map((node) => [node.pid, 'alive']),
    );
    const run = await sandbox.json<RunJson>(['run', 'noop', '--set', 'count=50']);
    assert.equal(run.succeeded, 50);
    await sandbox.regatta(['down']);
  });
});
