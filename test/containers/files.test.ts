/** The files of deploy/ as they are written: what can be known of them before an engine is asked. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { composeCommand, root, whyNoCompose } from './engine.ts';

const folder = join(root, 'deploy');
const composeFiles = readdirSync(folder).filter((name) => /^compose\..*yaml$|^compose\.yaml$/.test(name));
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');

/** What each compose file is for, as DEPLOYING starts them. */
const COMBINATIONS = [
  ['compose.yaml'],
  ['compose.yaml', 'compose.ha.yaml'],
  ['compose.yaml', 'compose.hosts.yaml'],
  ['compose.yaml', 'compose.ha.yaml', 'compose.hosts.yaml'],
  ['compose.agent.yaml'],
] as const;

describe('the compose files', () => {
  it('are all looked at here', () => {
    assert.deepEqual([...new Set(COMBINATIONS.flat())].sort(), composeFiles.sort());
  });

  // v2 refuses `pids_limit` beside `deploy.resources.limits`, 1.29 refuses `pids` within it.
  it('limit services in the one form that every compose takes', () => {
    for (const name of composeFiles) assert.doesNotMatch(read(name), /\b(deploy|resources|limits):/, name);
    assert.match(read('compose.yaml'), /^ {4}pids_limit: \d+\n {4}cpus: .*\n {4}mem_limit: /m);
  });

  describe('as compose reads them', { skip: whyNoCompose }, () => {
    for (const files of COMBINATIONS) {
      it(`are valid: ${files.join(' + ')}`, () => {
        const { status, stderr } = config(files, '--quiet');
        assert.deepEqual([status, stderr], [0, '']);
      });
    }

    it('do not say where other hosts are in place of who starts them', () => {
      const { status, stderr } = config(['compose.agent.yaml'], '--quiet', { REGATTA_COORDINATOR: '' });
      assert.notEqual(status, 0);
      assert.match(stderr, /REGATTA_COORDINATOR.*is to be HOST:PORT of the coordinator/s);
    });
  });
});

describe('the configurations of Prometheus', () => {
  it('send no token after a redirect', () => {
    for (const name of ['prometheus/prometheus.yml', 'prometheus/prometheus.ha.yml']) {
      const senders = read(name).match(/^ *- (job_name|url): .*\n.*$/gm) ?? [];
      assert.ok(senders.length >= 4, name);
      for (const sender of senders) assert.match(sender, /\n *follow_redirects: false$/, name);
    }
  });
});

function config(files: readonly string[], option: string, environment: Readonly<Record<string, string>> = {}) {
  const [program, ...first] = composeCommand();
  const words = files.flatMap((name) => ['-f', join(folder, name)]);
  return spawnSync(program!, [...first, ...words, 'config', option], {
    encoding: 'utf8',
    timeout: 30_000,
    cwd: tmpdir(),
    env: {
      PATH: process.env.PATH,
      HOME: tmpdir(),
      REGATTA_PUBLISH: '127.0.0.1',
      REGATTA_COORDINATOR: '127.0.0.1:7420',
      REGATTA_NATS: 'nats://127.0.0.1:4222',
      ...environment,
    },
  });
}
