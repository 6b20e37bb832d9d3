/** A PostgreSQL server of a test's own, in a folder that goes with it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';

export interface PostgresServer {
  /** `postgres://regatta@127.0.0.1:40001/`, to which the name of a database goes: `postgres` is there. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Where Debian keeps what it does not put on the PATH, the newest version first. */
const debianFolders = (): string[] => {
  const versions = '/usr/lib/postgresql';
  const found = existsSync(versions) ? readdirSync(versions) : [];
  return found.sort((a, b) => Number(b) - Number(a)).map((version) => join(versions, version, 'bin'));
};

const folders = [...(process.env.PATH ?? '').split(delimiter), ...debianFolders()];
const binaries = folders.find((folder) => existsSync(join(folder, 'initdb')));
const isRoot = process.getuid?.() === 0;

/** Why there can be none; false where there can: what a test gives as `skip`. */
export const whyNoPostgres: string | false =
  binaries === undefined
    ? 'no PostgreSQL server here (on Debian: apt-get install postgresql)'
    : isRoot && ownerIds() === undefined
      ? 'PostgreSQL does not run as root, and there is no user postgres or nobody'
      : false;

/** For root alone: whom the server runs as. */
function ownerIds(): { uid: number; gid: number } | undefined {
  for (const name of ['postgres', 'nobody']) {
    const ids = ['-u', '-g'].map((flag) =>
      Number(spawnSync('id', [flag, name], { encoding: 'utf8' }).stdout || 'none'),
    );
    if (ids.every(Number.isInteger)) return { uid: ids[0]!, gid: ids[1]! };
  }
  return undefined;
}

/** Listens on loopback, trusts everybody there, and does not wait for its disk. */
export async function startPostgres(): Promise<PostgresServer> {
  const directory = mkdtempSync(join(tmpdir(), 'regatta-postgres-'));
  const owner = isRoot ? ownerIds() : undefined;
  if (owner !== undefined) chownSync(directory, owner.uid, owner.gid);
  const data = join(directory, 'data');
  const options = { ...owner, cwd: directory } as const;
  const init = ['-D', data, '-U', 'regatta', '-A', 'trust', '--no-sync', '--no-locale', '-E', 'UTF8'];
  const made = spawnSync(join(binaries!, 'initdb'), init, { ...options, encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr || made.error}`);
  const port = await freePort();
  const settings = ['listen_addresses=127.0.0.1', `unix_socket_directories=${directory}`, `port=${port}`, 'fsync=off'];
  const server = spawn(...command(['-D', data, ...settings.flatMap((setting) => ['-c', setting])]), {
    ...options,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await ready(server);
  return {
    url: `postgres://regatta@127.0.0.1:${port}/`,
    stop: async () => {
      // "fast": it ends connections, and itself in order
      if (server.kill('SIGINT')) await once(server, 'exit');
      rmSync(directory, { recursive: true });
    },
  };
}

/** It ends with the test, however that ends, where util-linux can see to it. */
function command(settings: string[]): [string, string[]] {
  const postgres = join(binaries!, 'postgres');
  const setpriv = '/usr/bin/setpriv';
  return existsSync(setpriv) ? [setpriv, ['--pdeathsig', 'QUIT', '--', postgres, ...settings]] : [postgres, settings];
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function ready(server: ChildProcess): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const said: string[] = [];
  createInterface({ input: server.stderr! }).on('line', (line) => {
    said.push(line);
    if (line.includes('ready to accept connections')) resolve();
  });
  server.once('error', reject);
  server.once('exit', () => reject(new Error(`postgres ended: ${said.slice(-5).join('; ')}`)));
  return promise;
}
