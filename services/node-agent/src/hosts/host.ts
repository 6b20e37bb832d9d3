/**
 * One host process, from the agent's side: started, fed, listened to, killed. It is niced below the agent, so that a
 * node whose cores are all busy still answers its coordinator, and it dies with the agent, however the agent dies.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { FromHost, HostChunk, HostNews, HostRun, ToHost, WorkloadCard } from '../worker/messages.ts';

const HOST_MAIN = fileURLToPath(new URL('../worker/host-main.ts', import.meta.url));
const NICENESS = 5;
const TAIL_BYTES_MAX = 4096;

export interface HostDeath {
  readonly exit: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly rssBytes: number;
  readonly stderrTail: string;
}

export interface HostEvents {
  readonly news: (host: Host, news: HostNews, stallMs: number) => void;
  readonly death: (host: Host, death: HostDeath) => void;
}

export class Host {
  readonly threads: number;
  readonly concurrency: number;
  readonly ready: Promise<readonly WorkloadCard[]>;
  /** Attempts it holds. */
  readonly attempts = new Set<number>();
  wasReady = false;
  /** By us: its death is nobody's fault. */
  killed = false;
  rssBytes = 0;
  idleSince = performance.now();
  readonly #child: ChildProcess;
  readonly #opened = new Set<string>();
  #stderrTail = '';

  constructor(threads: number, concurrency: number, events: HostEvents) {
    this.threads = threads;
    this.concurrency = concurrency;
    this.#child = fork(HOST_MAIN, [String(threads), String(concurrency)], {
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      ...dyingWithParent(),
    });
    const { pid } = this.#child;
    if (pid !== undefined) lowerPriority(pid);
    const ready = Promise.withResolvers<readonly WorkloadCard[]>();
    ready.promise.catch(() => {});
    this.ready = ready.promise;
    // Read and dropped: a task that prints without end must not block on a full pipe, nor fill our memory.
    this.#child.stdout!.resume();
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#stderrTail = (this.#stderrTail + text).slice(-TAIL_BYTES_MAX);
    });
    this.#child.on('message', (message: FromHost) => {
      if (message.kind === 'ready') {
        this.wasReady = true;
        ready.resolve(message.workloads);
        return;
      }
      this.rssBytes = message.rssBytes;
      events.news(this, message.news, message.stallMs);
    });
    let exit: { code: number | null; signal: NodeJS.Signals | null } = { code: null, signal: null };
    this.#child.on('error', (error) => {
      this.#stderrTail += error.message;
    });
    this.#child.on('exit', (code, signal) => {
      exit = { code, signal };
    });
    // Not 'exit': what the process said last is still in the pipe then.
    this.#child.on('close', () => {
      ready.reject(new Error(`a host process did not start: ${this.#stderrTail.trim() || `exit ${exit.code}`}`));
      const { rssBytes } = this;
      events.death(this, { exit: exit.code, signal: exit.signal, rssBytes, stderrTail: this.#stderrTail });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  give(run: HostRun, chunk: HostChunk): void {
    if (!this.#opened.has(run.runId)) {
      this.#opened.add(run.runId);
      this.#send({ kind: 'open', run });
    }
    this.attempts.add(chunk.attemptId);
    this.#send({ kind: 'chunk', chunk });
  }

  cancel(attemptId: number): void {
    this.#send({ kind: 'cancel', attemptId });
  }

  close(runId: string): void {
    if (this.#opened.delete(runId)) this.#send({ kind: 'close', runId });
  }

  /** At once, whatever it is doing. Its death is told like any other. */
  kill(): void {
    this.killed = true;
    this.#child.kill('SIGKILL');
  }

  #send(message: ToHost): void {
    // A host that has just died takes no more messages; its death event says what became of its chunks.
    if (this.#child.connected) this.#child.send(message, () => {});
  }
}

/** Linux can tie a process's life to its parent's, even where the parent is killed and the child is in a tight loop. */
function dyingWithParent(): { execPath?: string; execArgv?: string[] } {
  const setpriv = '/usr/bin/setpriv';
  try {
    accessSync(setpriv, constants.X_OK);
  } catch {
    return {};
  }
  return { execPath: setpriv, execArgv: ['--pdeathsig', 'KILL', '--', process.execPath] };
}

function lowerPriority(pid: number): void {
  try {
    setPriority(pid, NICENESS);
  } catch {
    // It died already, or the system forbids it: slower heartbeats under full load, nothing worse.
  }
}
