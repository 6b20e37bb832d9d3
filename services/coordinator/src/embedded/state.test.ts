import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import * as state from './state.ts';

const variables = ['REGATTA_STATE_DIR', 'XDG_STATE_HOME'] as const;
const before = variables.map((name) => [name, process.env[name]] as const);
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'regatta-state-'));
  process.env.REGATTA_STATE_DIR = directory;
});

afterEach(() => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  rmSync(directory, { recursive: true });
});

const sample = (): state.ClusterState => {
  const mark = state.markOf(process.pid);
  return { address: '127.0.0.1:1', coordinator: mark, agents: [{ ...mark, id: 'a' }], startedAt: 'now' };
};

describe('the state directory', () => {
  it('is the one asked for, else one of the user’s own', () => {
    assert.equal(state.stateDirectory(), directory);
    delete process.env.REGATTA_STATE_DIR;
    process.env.XDG_STATE_HOME = '/xdg';
    assert.equal(state.stateDirectory(), '/xdg/regatta');
    process.env.XDG_STATE_HOME = '';
    assert.match(state.stateDirectory(), /\/\.local\/state\/regatta$/);
  });

  it('is refused in one line where it cannot be made', () => {
    writeFileSync(join(directory, 'file'), '');
    process.env.REGATTA_STATE_DIR = join(directory, 'file', 'below');
    const message = /^cannot use .*below for state \(ENOTDIR: not a directory\); set REGATTA_STATE_DIR to another$/;
    assert.throws(() => state.makeStateDirectory(), { code: 'NO_STATE_DIR', message });
    assert.throws(() => state.writeState(sample()), { code: 'NO_STATE_DIR' });
  });
});

describe('a state directory under /proc', { skip: !existsSync('/proc/self') }, () => {
  it('is refused, not tried for ever', () => {
    process.env.REGATTA_STATE_DIR = '/proc/regatta/state';
    assert.throws(() => state.makeStateDirectory(), { code: 'NO_STATE_DIR' });
  });
});

describe('what up leaves behind', () => {
  it('is read as it was written, and nothing else is left', () => {
    process.env.REGATTA_STATE_DIR = join(directory, 'deep', 'down');
    state.writeState(sample());
    assert.deepEqual(state.readState(), sample());
    assert.deepEqual(readdirSync(state.stateDirectory()), ['cluster.json']);
  });

  it('is gone once removed, and may be removed again', () => {
    state.writeState(sample());
    for (let i = 0; i < 2; i++) state.removeState();
    assert.equal(state.readState(), undefined);
  });

  it('is nothing where the file is missing or cut short', () => {
    assert.equal(state.readState(), undefined);
    for (const text of ['', '{"address":']) {
      writeFileSync(join(directory, 'cluster.json'), text);
      assert.equal(state.readState(), undefined);
    }
  });
});

describe('a process', () => {
  const child = async () => {
    const sleeper = spawn('sleep', ['60'], { stdio: 'ignore' });
    await once(sleeper, 'spawn');
    return { sleeper, mark: state.markOf(sleeper.pid!) };
  };

  it('is alive while it runs and no longer', async () => {
    const { sleeper, mark } = await child();
    assert.equal(state.isAlive(mark), true);
    sleeper.kill('SIGKILL');
    await once(sleeper, 'exit');
    assert.equal(state.isAlive(mark), false);
  });

  it('is not one that got its id later', () => {
    const mark = state.markOf(process.pid);
    assert.equal(state.isAlive(mark), true);
    assert.equal(state.isAlive({ ...mark, started: '1' }), false);
  });
});
