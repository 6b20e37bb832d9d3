/**
 * A process of the cluster that is struck down, or made to stand still, itself or its children, and then is there again
 * under the same name.
 *
 * - M1: one blow at a time: the next one falls only once this one is over.
 * - M2: an end that nobody asked for is told.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { within } from '../bench/waiting.ts';
import { childrenOf } from '../integration/cluster.ts';
import { standStill } from '../soak/stand-still.ts';
import type { Way } from './blows.ts';

const DIES_MS_MAX = 5_000;
const START_MS_MAX = 20_000;

/** What can be killed and started again, whatever it is. */
export interface Body {
  readonly pid: number;
  kill(): Promise<void>;
  start(): Promise<void>;
}

export class Member {
  readonly name: string;
  readonly #body: Body;
  #struck = false;

  constructor(name: string, body: Body) {
    this.name = name;
    this.#body = body;
  }

  /** Whether a blow that fell is not over yet. */
  get struck(): boolean {
    return this.#struck;
  }

  /** Resolves when it is over. */
  async strike(way: Way, forMs: number): Promise<void> {
    this.#struck = true;
    try {
      if (way === 'kill') {
        await this.#body.kill();
        await sleep(forMs);
        await this.#body.start();
      } else {
        const pids = way === 'hang' ? childrenOf(this.#body.pid) : [this.#body.pid];
        const ends = Promise.all(pids.map((pid) => once(standStill(pid, forMs), 'exit')));
        await within(forMs + DIES_MS_MAX, `${this.name} to go on`, ends);
      }
    } finally {
      this.#struck = false;
    }
  }
}

export interface ProgramOptions {
  readonly main: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** To which its lives append what they say. */
  readonly log: string;
  /** M2. */
  readonly onEnd: (how: string) => void;
}

/** A program of ours. It ends with this process. */
export class Program implements Body {
  readonly #options: ProgramOptions;
  #args: readonly string[];
  #child: ChildProcess | undefined;
  #ending = false;

  constructor(options: ProgramOptions) {
    this.#options = options;
    this.#args = options.args;
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  async start(): Promise<void> {
    const { main, env, log, onEnd } = this.#options;
    const out = openSync(log, 'a');
    const args = [...this.#args, '--ends-with-parent'];
    const child = fork(main, args, { env, stdio: ['ignore', out, out, 'ipc'], execArgv: [] });
    closeSync(out);
    this.#child = child;
    child.once('exit', (code, signal) => {
      if (!this.#ending && this.#child === child) onEnd(`ended by itself, with ${signal ?? `code ${code}`}`);
    });
  }

  /** For the first time. @returns what it says once it is of use */
  async begin(): Promise<{ address?: string }> {
    await this.start();
    const { main, log } = this.#options;
    const ended = once(this.#child!, 'exit').then(() =>
      Promise.reject(new Error(`${main} ended: ${readFileSync(log)}`)),
    );
    const ready = Promise.race([once(this.#child!, 'message'), ended]);
    const [said] = await within(START_MS_MAX, `${main} to be ready`, ready);
    ended.catch(() => {});
    return said as { address?: string };
  }

  /** From its next life on. */
  set args(args: readonly string[]) {
    this.#args = args;
  }

  async kill(): Promise<void> {
    const child = this.#child!;
    this.#child = undefined;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await within(DIES_MS_MAX, `${this.#options.main} to die`, ended);
  }

  /** Asks it to end, for good. */
  end(): void {
    this.#ending = true;
    this.#child?.kill('SIGTERM');
  }
}
