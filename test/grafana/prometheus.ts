/** A Prometheus of a test's own, in a folder that goes with it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { freePort } from '@regatta/broker/testing';
import { eventually } from '../integration/cluster.ts';

const START_MS_MAX = 20_000;
const ANSWER_MS_MAX = 10_000;

const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/bin'];
const programNamed = (name: string): string | undefined =>
  folders.map((folder) => join(folder, name)).find((path) => existsSync(path));

const promtoolPath = programNamed('promtool');
const prometheusPath = programNamed('prometheus');

/** Why there can be none; false where there can: what a test gives as `skip`. */
export const whyNoPrometheus: string | false =
  promtoolPath === undefined || prometheusPath === undefined
    ? 'no prometheus and promtool here (on Debian: apt-get install prometheus)'
    : false;

/** @returns exit code and all that it said */
export function promtool(...args: string[]): { code: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync(promtoolPath!, args, { encoding: 'utf8', timeout: 60_000 });
  return { code: status, said: stdout + stderr };
}

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  /** Seconds and value: the one of an instant. */
  readonly value?: readonly [number, string];
  readonly values?: readonly (readonly [number, string])[];
}

interface Answer<T> {
  readonly status: 'success' | 'error';
  readonly data: T;
  readonly error?: string;
}

export class Prometheus {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(url: string, child: ChildProcess, folder: string) {
    this.url = url;
    this.#child = child;
    this.#folder = folder;
  }

  /** @param config as prometheus.yml has it */
  static async start(config: string): Promise<Prometheus> {
    const folder = mkdtempSync(join(tmpdir(), 'regatta-prometheus-'));
    const file = join(folder, 'prometheus.yml');
    writeFileSync(file, config);
    const listen = `127.0.0.1:${await freePort()}`;
    const args = [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${listen}`,
      '--enable-feature=exemplar-storage',
      '--log.level=warn',
    ];
    const child = spawn(prometheusPath!, args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const prometheus = new Prometheus(`http://${listen}`, child, folder);
    try {
      await eventually(() => prometheus.#isReady(), START_MS_MAX, 'Prometheus to be ready');
    } catch (thrown) {
      await prometheus.stop();
      throw new Error(`Prometheus did not start: ${stderr}`, { cause: thrown });
    }
    return prometheus;
  }

  async #isReady(): Promise<boolean> {
    if (this.#child.exitCode !== null) throw new Error(`Prometheus ended with ${this.#child.exitCode}`);
    return await fetch(`${this.url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  /** Its API. @throws what it answers, where it refuses */
  async ask<T>(path: string, parameters: Readonly<Record<string, string>> = {}): Promise<T> {
    const response = await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(parameters)}`, {
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
    const { status, data, error } = (await response.json()) as Answer<T>;
    if (status !== 'success') throw new Error(error);
    return data;
  }

  async query(expr: string): Promise<readonly Series[]> {
    return (await this.ask<{ result: readonly Series[] }>('query', { query: expr })).result;
  }

  /** @param from in seconds, as `to` */
  async range(expr: string, from: number, to: number, step = 1): Promise<readonly Series[]> {
    const parameters = { query: expr, start: `${from}`, end: `${to}`, step: `${step}` };
    return (await this.ask<{ result: readonly Series[] }>('query_range', parameters)).result;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const gone = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      await gone;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
