/**
 * Where the nats-server of an embedded cluster comes from: this machine, else Debian's package, else Docker. What takes
 * long or changes the machine is told on stderr first.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { RegattaError } from '@regatta/kernel';
import { limits } from './limits.ts';

const IMAGE_DEFAULT = 'nats:2-alpine';

const NOT_FOUND =
  'there is no nats-server here; install it (apt-get install nats-server, or brew install nats-server), start Docker, ' +
  'or give --no-nats to go without I/O queue and journal';

/** Program and arguments that nats-server's own are appended to. @param folder all that it reads and writes */
export type NatsCommand = (folder: string) => readonly string[];

/** What is searched and what may be done about it. */
export interface Surroundings {
  /** As the environment has it. */
  readonly path: string;
  /** Searched after it: Debian puts daemons where only root's PATH looks. */
  readonly folders: readonly string[];
  readonly mayInstall: boolean;
  readonly image: string;
  readonly say: (line: string) => void;
}

const here = (): Surroundings => ({
  path: process.env.PATH ?? '',
  folders: ['/usr/sbin', '/usr/local/bin'],
  mayInstall: process.getuid?.() === 0,
  image: process.env.NATS_IMAGE || IMAGE_DEFAULT,
  say: (line) => process.stderr.write(`${line}\n`),
});

/** @throws RegattaError NO_NATS_SERVER that says how to get one */
export async function findNatsServer(given: Partial<Surroundings> = {}): Promise<NatsCommand> {
  const where = { ...here(), ...given };
  const found = programNamed('nats-server', where) ?? (await installed(where));
  if (found !== undefined) return () => [found];
  const docker = programNamed('docker', where);
  if (docker !== undefined && (await hasImage(docker, where))) return inContainer(docker, where.image);
  throw new RegattaError('NO_NATS_SERVER', NOT_FOUND);
}

function programNamed(name: string, { path, folders }: Surroundings): string | undefined {
  const places = [...path.split(delimiter).filter((folder) => folder !== ''), ...folders];
  return places.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

async function installed(where: Surroundings): Promise<string | undefined> {
  const apt = where.mayInstall ? programNamed('apt-get', where) : undefined;
  if (apt === undefined) return undefined;
  where.say('Installing nats-server (apt-get install nats-server, once) ...');
  const lock = ['-o', `DPkg::Lock::Timeout=${limits.aptLockMs / 1_000}`];
  const install = ['install', '-y', '-qq', '--no-install-recommends', ...lock, 'nats-server'];
  // A fresh container has no package lists.
  const done =
    (await succeeds(apt, install, limits.aptMsMax)) ||
    ((await succeeds(apt, ['update', '-qq'], limits.aptMsMax)) && (await succeeds(apt, install, limits.aptMsMax)));
  if (!done) where.say('apt-get could not install nats-server.');
  return programNamed('nats-server', where);
}

async function hasImage(docker: string, { image, say }: Surroundings): Promise<boolean> {
  if (!(await succeeds(docker, ['info'], limits.dockerAnswerMs))) return false;
  if (await succeeds(docker, ['image', 'inspect', image], limits.dockerAnswerMs)) return true;
  say(`Fetching ${image} with Docker, once ...`);
  return succeeds(docker, ['pull', '--quiet', image], limits.dockerPullMs);
}

/**
 * In the foreground, so that a signal to the docker command reaches the server. On the host's network and with the same
 * paths, so that configuration and ports file mean the same inside; as this user, so that the store can be removed.
 */
const inContainer =
  (docker: string, image: string): NatsCommand =>
  (folder) => {
    const user = process.getuid === undefined ? [] : ['--user', `${process.getuid()}:${process.getgid!()}`];
    const mount = ['--mount', `type=bind,src=${folder},dst=${folder}`];
    return [docker, 'run', '--rm', '--network', 'host', ...user, ...mount, '--entrypoint', 'nats-server', image];
  };

function succeeds(program: string, args: readonly string[], withinMs: number): Promise<boolean> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return new Promise((resolve) => {
    execFile(program, args, { timeout: withinMs, env }, (error) => resolve(error === null));
  });
}
