/** deploy/make-secrets: what it makes, and that hosts with the join token alone come to the same. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { metricsTokenOf } from '@regatta/access';
import { root } from './engine.ts';

const NAMES = ['join-token', 'metrics-token', 'nats-password', 'grafana-password'];
/** All that the script calls but openssl and node. */
const TOOLS = ['sh', 'od', 'tr', 'wc', 'chmod', 'mv', 'mkdir', 'cat', 'dirname', 'rmdir', 'cut'];

const place = mkdtempSync(join(tmpdir(), 'regatta-secrets-'));
after(() => rmSync(place, { recursive: true }));

const read = (folder: string, name: string): string => readFileSync(join(folder, name), 'utf8');

/** @returns the folder, and what was said */
function make(name: string, path = process.env.PATH) {
  const folder = join(place, name);
  const script = join(root, 'deploy/make-secrets');
  const { status, stderr } = spawnSync(script, [folder], { encoding: 'utf8', env: { PATH: path } });
  return { folder, status, said: stderr };
}

describe('deploy/make-secrets', () => {
  it('makes each secret once, for the eyes of who may enter the folder', () => {
    const { folder, status } = make('new');
    assert.equal(status, 0);
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    const secrets = NAMES.map((name) => read(folder, name));
    assert.deepEqual(
      secrets.map((text) => text.length),
      [48, 64, 48, 48],
    );
    for (const name of NAMES) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o444);
    const again = make('new');
    assert.equal(again.said, NAMES.map((name) => `${join(folder, name)} is there already\n`).join(''));
    assert.deepEqual(
      NAMES.map((name) => read(folder, name)),
      secrets,
    );
  });

  it('makes the metrics token that services make of the join token, by openssl or by Node', () => {
    const bin = join(place, 'bin');
    mkdirSync(bin);
    for (const tool of TOOLS) symlinkSync(which(tool), join(bin, tool));
    symlinkSync(process.execPath, join(bin, 'node'));
    for (const [name, path] of [
      ['by-openssl', undefined],
      ['by-node', bin],
    ] as const) {
      const { folder, said } = make(name, path);
      assert.equal(read(folder, 'metrics-token'), metricsTokenOf(read(folder, 'join-token')), said);
    }
  });

  it('says so where a metrics token is another one, and leaves it', () => {
    const folder = join(place, 'old');
    mkdirSync(folder);
    writeFileSync(join(folder, 'metrics-token'), 'made-at-random-before');
    const { status, said } = make('old');
    assert.equal(status, 0);
    assert.match(said, /metrics-token does not follow from join-token: .*; remove it, run \S+ again, and .*\n$/);
    assert.equal(read(folder, 'metrics-token'), 'made-at-random-before');
  });
});

const which = (tool: string): string =>
  spawnSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).stdout.trim();
