import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { findNatsServer, type Surroundings } from './find-nats.ts';

let directory: string;
let said: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'regatta-find-'));
  said = [];
});

afterEach(() => rmSync(directory, { recursive: true }));

/** A machine that has these scripts on its PATH and nothing else of use. */
function machine(scripts: Readonly<Record<string, string>>, mayInstall = false): Surroundings {
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(directory, name), `#!/bin/sh\necho "$0 $*" >> ${directory}/calls\n${script}\n`);
    chmodSync(join(directory, name), 0o755);
  }
  return { path: directory, folders: [], mayInstall, image: 'nats:2-alpine', say: (line) => said.push(line) };
}

const calls = (): string[] =>
  readFileSync(join(directory, 'calls'), 'utf8').trim().replaceAll(`${directory}/`, '').split('\n');
const installs = `case "$*" in *nats-server*) cp "$0" ${'"$(dirname "$0")/nats-server"'};; esac`;
const message =
  'there is no nats-server here; install it (apt-get install nats-server, or brew install nats-server), start Docker, ' +
  'or give --no-nats to go without I/O queue and journal';

describe('a nats-server', () => {
  it('is the one on the PATH, and nothing is said', async () => {
    const command = await findNatsServer(machine({ 'nats-server': 'exit', 'apt-get': installs }, true));
    assert.deepEqual(command('/folder'), [join(directory, 'nats-server')]);
    assert.deepEqual(said, []);
    assert.ok(!existsSync(join(directory, 'calls')));
  });

  it('is found where Debian puts it, though the PATH of most users does not lead there', async () => {
    const where = machine({ 'nats-server': 'exit' });
    const command = await findNatsServer({ ...where, path: '', folders: ['/nowhere', directory] });
    assert.deepEqual(command('/folder'), [join(directory, 'nats-server')]);
  });

  it('is not a folder of that name', async () => {
    mkdirSync(join(directory, 'nats-server'));
    await assert.rejects(findNatsServer(machine({})), { code: 'NO_NATS_SERVER' });
  });

  it('is installed where that is allowed, which is told first', async () => {
    const command = await findNatsServer(machine({ 'apt-get': installs }, true));
    assert.deepEqual(command('/folder'), [join(directory, 'nats-server')]);
    assert.deepEqual(said, ['Installing nats-server (apt-get install nats-server, once) ...']);
    assert.match(calls().join('\n'), /^apt-get install -y .*--no-install-recommends .*nats-server$/);
  });

  it('is installed after the package lists are fetched where there were none', async () => {
    const needsLists = `case "$1" in update) touch ${'"$0.lists"'};; *) [ -e "$0.lists" ] || exit 100; ${installs};; esac`;
    await findNatsServer(machine({ 'apt-get': needsLists }, true));
    assert.deepEqual(
      calls().map((call) => call.split(' ')[1]),
      ['install', 'update', 'install'],
    );
  });

  it('is not installed by who may not, but said to be missing in one line', async () => {
    await assert.rejects(findNatsServer(machine({ 'apt-get': installs })), { code: 'NO_NATS_SERVER', message });
    assert.ok(!existsSync(join(directory, 'calls')));
    assert.ok(!message.includes('\n'));
  });

  it('is said to be missing where apt-get fails and Docker does not run', async () => {
    const where = machine({ 'apt-get': 'exit 100', docker: 'exit 1' }, true);
    await assert.rejects(findNatsServer(where), { code: 'NO_NATS_SERVER', message });
    assert.equal(said.at(-1), 'apt-get could not install nats-server.');
  });
});

describe('a nats-server in Docker', () => {
  it('has the host’s network, the same folder and this user', async () => {
    const [docker, ...args] = (await findNatsServer(machine({ docker: 'exit' })))('/some/folder');
    assert.equal(docker, join(directory, 'docker'));
    assert.deepEqual(said, []);
    const text = args.join(' ');
    assert.match(
      text,
      /^run --rm --network host --user \d+:\d+ --mount type=bind,src=\/some\/folder,dst=\/some\/folder /,
    );
    assert.match(text, / --entrypoint nats-server nats:2-alpine$/);
  });

  it('has its image fetched where that is missing, which is told first', async () => {
    await findNatsServer(machine({ docker: '[ "$1" != image ]' }));
    assert.deepEqual(said, ['Fetching nats:2-alpine with Docker, once ...']);
    assert.equal(calls().at(-1), 'docker pull --quiet nats:2-alpine');
  });

  it('is none where the image cannot be fetched', async () => {
    await assert.rejects(findNatsServer(machine({ docker: '[ "$1" = info ]' })), { code: 'NO_NATS_SERVER' });
  });
});
