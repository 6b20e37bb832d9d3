/**
 * The Docker engine of this machine: whether one answers, the images that tests run, and what killed tests left in it.
 *
 * - E1: all that a test makes there carries the label `regatta.world` with the id of the test's process; what has the
 *   label of a process that is gone is swept by the next.
 */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';

export const root = dirname(dirname(import.meta.dirname));
export const WORLD = 'regatta.world';
/** Of this process's containers and networks. */
export const labels: Readonly<Record<string, string>> = { [WORLD]: String(process.pid) };

const ANSWER_MS_MAX = 10_000;
/** The first time all of them are made; later what has changed. */
export const BUILD_MS_MAX = 600_000;
const run = promisify(execFile);

const onPath = (program: string): boolean =>
  (process.env.PATH ?? '').split(delimiter).some((folder) => folder !== '' && existsSync(join(folder, program)));

const answers = (...command: string[]): boolean =>
  spawnSync(command[0]!, command.slice(1), { stdio: 'ignore', timeout: ANSWER_MS_MAX }).status === 0;

/** Where REGATTA_NEEDS names docker tests that lack it fail; elsewhere they are skipped, and counted. */
const demanded = (process.env.REGATTA_NEEDS ?? '').split(',').includes('docker');

/** Why containers cannot be tested here; false where they can: what a test gives as `skip`. */
export const whyNoDocker: string | false =
  demanded || answers('docker', 'info') ? false : 'no Docker engine answers here';

/** The words to run compose by: v2 is a plugin of Docker, v1 a program. */
export const composeCommand = (): string[] =>
  answers('docker', 'compose', 'version') ? ['docker', 'compose'] : ['docker-compose'];

/** As `whyNoDocker`, for what compose does without an engine. */
export const whyNoCompose: string | false =
  demanded || answers(...composeCommand(), 'version') ? false : 'compose is not installed here';

/** Where images can be made of Debian's packages they are; elsewhere they come from registries. */
const offline = onPath('mmdebstrap');

/** As compose takes them; the defaults of compose where they come from registries. */
export const images: Readonly<Record<string, string>> = offline
  ? { NATS_IMAGE: 'regatta/nats:offline', PROMETHEUS_IMAGE: 'regatta/prometheus:offline' }
  : {};

/** Makes what is missing or has changed. @throws Error with what was said */
export async function buildImages(): Promise<void> {
  const compose = [...composeCommand(), '-f', 'deploy/compose.yaml', 'build'];
  const command = offline ? ['deploy/offline/build', '--no-env'] : compose;
  try {
    await run(command[0]!, command.slice(1), { cwd: root, timeout: BUILD_MS_MAX });
  } catch (thrown) {
    const { stderr } = thrown as { readonly stderr?: string };
    throw new Error(`images cannot be built by ${command.join(' ')}: ${stderr || String(thrown)}`);
  }
}

/** `docker WORDS`. @returns what it prints. @throws where it fails */
export async function docker(...words: string[]): Promise<string> {
  const { stdout } = await run('docker', words, { maxBuffer: 2 ** 26 });
  return stdout.trim();
}

/** All that a container has said so far. */
export async function logOf(id: string): Promise<string> {
  const { stdout, stderr } = await run('docker', ['logs', id], { maxBuffer: 2 ** 26 });
  return stdout + stderr;
}

const listed = async (...words: string[]): Promise<string[]> => {
  const text = await docker(...words);
  return text === '' ? [] : text.split('\n');
};

/** Removes what this process made, or what processes made that are gone (E1). */
export async function sweep(whose: 'mine' | 'of the dead'): Promise<void> {
  const format = `{{.ID}} {{.Label "${WORLD}"}}`;
  const swept = (line: string): string[] => {
    const [id = '', pid = ''] = line.split(' ');
    const mine = pid === String(process.pid);
    return (whose === 'mine' ? mine : !mine && !existsSync(`/proc/${pid}`)) ? [id] : [];
  };
  const containers = (await listed('ps', '--all', '--filter', `label=${WORLD}`, '--format', format)).flatMap(swept);
  if (containers.length > 0) await docker('rm', '--force', '--volumes', ...containers);
  for (const kind of ['network', 'volume']) {
    const format = kind === 'volume' ? `{{.Name}} {{.Label "${WORLD}"}}` : `{{.ID}} {{.Label "${WORLD}"}}`;
    const found = (await listed(kind, 'ls', '--filter', `label=${WORLD}`, '--format', format)).flatMap(swept);
    if (found.length > 0) await docker(kind, 'rm', ...found);
  }
}
