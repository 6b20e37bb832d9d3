/**
 * Compose files of deploy/ as people start them, under a name, ports and secrets of a test's own.
 *
 * - P1: nothing of it is left, whatever happens; what a killed test left is taken down by the next.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { composeCommand, docker, images, logOf, root } from './engine.ts';

const run = promisify(execFile);
const COMMAND_MS_MAX = 110_000;
/** Of each log, where something goes wrong. */
const LINES_SHOWN = 8;
const NAME = /^regatta-test-(\d+)(-[a-z]+)?$/;

type Environment = Readonly<Record<string, string>>;

export interface ProjectForm {
  /** Of deploy/, the first first. */
  readonly files: readonly string[];
  /** Tells it from another project of the same test. */
  readonly suffix?: string;
  /** The folder that has its secrets, which the caller made; made anew where it is left out. */
  readonly secrets?: string;
  /** Variables of .env.example. */
  readonly environment?: Environment;
}

export class Project {
  readonly name: string;
  readonly #files: readonly string[];
  readonly #environment: Environment;
  readonly #secrets: string;
  /** What goes with it. */
  readonly #folder: string;
  readonly #command = composeCommand();

  private constructor({ files, suffix = '', secrets, environment = {} }: ProjectForm) {
    this.name = `regatta-test-${process.pid}${suffix}`;
    this.#files = files;
    this.#folder = mkdtempSync(join(tmpdir(), 'regatta-compose-'));
    this.#secrets = secrets ?? join(this.#folder, 'secrets');
    this.#environment = { ...environment, ...images, REGATTA_SECRETS: this.#secrets };
  }

  /** With secrets, and nothing started. */
  static async prepare(form: ProjectForm): Promise<Project> {
    const project = new Project(form);
    if (form.secrets === undefined) await run(join(root, 'deploy/make-secrets'), [project.#secrets]);
    return project;
  }

  secretFile(name: string): string {
    return join(this.#secrets, name);
  }

  secret(name: string): string {
    return readFileSync(this.secretFile(name), 'utf8').trim();
  }

  /** @throws Error with what compose said, and the last words of each container */
  async compose(...words: string[]): Promise<string> {
    const files = this.#files.flatMap((name) => ['-f', join(root, 'deploy', name)]);
    const [program, ...first] = this.#command;
    try {
      const { stdout } = await run(program!, [...first, '-p', this.name, ...files, ...words], {
        timeout: COMMAND_MS_MAX,
        env: { ...inherited(), ...this.#environment },
        cwd: tmpdir(),
      });
      return stdout.trim();
    } catch (thrown) {
      const { stderr = String(thrown) } = thrown as { readonly stderr?: string };
      throw new Error(`compose ${words.join(' ')} failed: ${stderr}\n${await this.lastWords()}`);
    }
  }

  /** Of each of its containers. */
  async lastWords(): Promise<string> {
    const format = '{{.Name}}: {{.State.Status}}';
    const words = async (id: string): Promise<string> => {
      const [name, log] = await Promise.all([docker('inspect', '--format', format, id), logOf(id)]);
      return [`--- ${name}`, ...log.trim().split('\n').slice(-LINES_SHOWN)].join('\n');
    };
    return (await Promise.all((await this.containers()).map(words))).join('\n');
  }

  /** Ids, of one service or all. */
  async containers(service?: string): Promise<string[]> {
    const filters = [`label=com.docker.compose.project=${this.name}`];
    if (service !== undefined) filters.push(`label=com.docker.compose.service=${service}`);
    const text = await docker('ps', '--all', '--quiet', '--no-trunc', ...filters.flatMap((f) => ['--filter', f]));
    return text === '' ? [] : text.split('\n');
  }

  async down(): Promise<void> {
    await this.compose('--profile', 'observability', 'down', '--volumes', '--remove-orphans', '--timeout', '3');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Containers, networks and volumes that there are of it. */
  async remains(): Promise<string[]> {
    const filter = ['--quiet', '--filter', `label=com.docker.compose.project=${this.name}`];
    const kinds = [
      ['ps', '--all'],
      ['network', 'ls'],
      ['volume', 'ls'],
    ];
    const found = await Promise.all(kinds.map((words) => docker(...words, ...filter)));
    return found
      .join('\n')
      .split('\n')
      .filter((id) => id !== '');
  }
}

/** What says something of a cluster here is none of the test's. */
const inherited = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(REGATTA_|COMPOSE_)/.test(name)));

/** P1. */
export async function takeDownTheDead(): Promise<void> {
  const label = 'com.docker.compose.project';
  for (const [kind, ...list] of [
    ['rm', 'ps', '--all'],
    ['network', 'network', 'ls'],
    ['volume', 'volume', 'ls'],
  ] as const) {
    const id = kind === 'volume' ? '.Name' : '.ID';
    const text = await docker(...list, '--filter', `label=${label}`, '--format', `{{${id}}} {{.Label "${label}"}}`);
    for (const line of text.split('\n')) {
      const [found = '', project = ''] = line.split(' ');
      const pid = NAME.exec(project)?.[1];
      if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
      await docker(...(kind === 'rm' ? ['rm', '--force', '--volumes'] : [kind, 'rm']), found);
    }
  }
}
