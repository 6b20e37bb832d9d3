import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Cluster, Sandbox } from './cluster.ts';

const commands = [
  'up',
  'down',
  'status',
  'nodes',
  'workloads',
  'run',
  'race',
  'runs',
  'show',
  'watch',
  'cancel',
  'results',
  'explain',
  'replay',
  'target',
  'serve',
  'doctor',
  'demo',
];

describe('--help', () => {
  it('of every command has an example and exits 0', async () => {
    await using sandbox = new Sandbox();
    for (const command of commands) {
      const { code, stdout, stderr } = await sandbox.regatta([command, '--help']);
      assert.deepEqual([code, stderr], [0, ''], command);
      assert.match(stdout, /\nExamples?:\n {2}\S/, command);
    }
    const { code, stdout } = await sandbox.regatta(['--help']);
    assert.equal(code, 0);
    for (const command of commands) assert.match(stdout, new RegExp(`^ +${command}\\b`, 'm'));
  });
});

describe('progress in a pipe', () => {
  it('is plain lines on stderr, with count, rate and time left', async () => {
    await using cluster = await Cluster.start({ agents: 1 });
    const args = [
      'run',
      'synthetic',
      '--set',
      'cpuMs=0',
      '--set',
      'ioMs=100',
      '--set',
      'count=50',
      '--model',
      'serial',
    ];
    const { code, stdout, stderr } = await cluster.regatta([...args, '--json']);
    assert.equal(code, 0);
    assert.match(stderr, /^synthetic: \d+ of 50 tasks \(\d+%\), [\d.]+\/s, [\d.,]+ m?s left$/m);
    assert.ok(!stderr.includes('\x1b'));
    assert.ok(!stderr.includes('\r'));
    JSON.parse(stdout);
  });
});
