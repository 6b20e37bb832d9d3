/**
 * deploy/compose.yaml as people start it, under a name, ports and secrets of a test's own.
 *
 * - P1: nothing of it is left, whatever happens; what a killed test left is taken down by the next.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '@regatta/broker/testing';
import { composeCommand, docker, images, logOf, root } from './engine.ts';

const run = promisify(execFile);
const COMMAND_MS_MAX = 110_000;
const NAME = /^regatta-test-(\d+)$/;

export class Project {
  readonly name = `regatta-test-${process.pid}`;
  /** HOST:PORT, from outside. */
  readonly coordinator: string;
  readonly prometheus: string;
  readonly #secrets: string;
  readonly #command = composeCommand();

  private constructor(secrets: string, coordinatorPort: number, prometheusPort: number) {
    this.#secrets = secrets;
    this.coordinator = `127.0.0.1:${coordinatorPort}`;
    this.prometheus = `127.0.0.1:${prometheusPort}`;
  }

  /** With secrets, and nothing started. */
  static async prepare(): Promise<Project> {
    const parent = mkdtempSync(join(tmpdir(), 'regatta-compose-'));
    await run(join(root, 'deploy/make-secrets'), [join(parent, 'secrets')]);
    return new Project(join(parent, 'secrets'), await freePort(), await freePort());
  }

  secretFile(name: string): string {
    return join(this.#secrets, name);
  }

  secret(name: string): string {
    return readFileSync(this.secretFile(name), 'utf8').trim();
  }

  /** @throws with what compose said, and the last words of each container */
  async compose(...words: string[]): Promise<string> {
    const files = ['-f', join(root, 'deploy/compose.yaml')];
    const [program, ...first] = this.#command;
    try {
      const { stdout } = await run(program!, [...first, '-p', this.name, ...files, ...words], {
        timeout: COMMAND_MS_MAX,
        env: this.#environment(),
        cwd: tmpdir(),
      });
      return stdout.trim();
    } catch (thrown) {
      const { stderr = String(thrown) } = thrown as { readonly stderr?: string };
      const logs = await Promise.all((await this.containers()).map(logOf));
      throw new Error(`compose ${words.join(' ')} failed: ${stderr}\n${logs.join('\n---\n')}`);
    }
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
    rmSync(join(this.#secrets, '..'), { recursive: true, force: true });
  }

  #environment(): NodeJS.ProcessEnv {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(REGATTA_|COMPOSE_)/.test(name));
    const port = (address: string): string => address.split(':')[1]!;
    return {
      ...Object.fromEntries(inherited),
      ...images,
      REGATTA_SECRETS: this.#secrets,
      REGATTA_PORT: port(this.coordinator),
      PROMETHEUS_PORT: port(this.prometheus),
    };
  }
}

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
