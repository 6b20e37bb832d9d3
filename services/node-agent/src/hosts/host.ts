/**
 * One host process, from the agent's side: started, fed, listened to, killed. It is niced below the agent, so that a
 * node whose cores are all busy still answers its coordinator, and it dies with the agent, however the agent dies.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type HostLimits, limits } from '../limits.ts';
import type {
  FromHost,
  HostChunk,
  HostNews,
  HostOrder,
  HostRun,
  LateFailure,
  PermitWord,
  ToHost,
  WorkloadCard,
} from '../worker/messages.ts';

const HOST_MAIN = fileURLToPath(new URL('../worker/host-main.ts', import.meta.url));
const NICENESS = 5;
/** V8 grows no heap beyond this unless told to. */
const HEAP_DEFAULT_BYTES = 4 * 2 ** 30;
/** What a host takes besides its JS heap: code, stacks, the runtime. */
const BESIDES_HEAP_BYTES = 128 * 2 ** 20;

export interface HostDeath {
  readonly exit: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly rssBytes: number;
  readonly stderrTail: string;
}

export interface HostEvents {
  readonly news: (host: Host, news: HostNews, stallMs: number) => void;
  readonly late: (late: LateFailure) => void;
  readonly permit: (host: Host, word: PermitWord) => void;
  /** Something that was stopped goes on in it. */
  readonly abandoned: (host: Host) => void;
  readonly death: (host: Host, death: HostDeath) => void;
}

/** Why we killed it: because its work was to stop, or because it took too much memory. */
export type KillReason = 'order' | 'memory';

/** Why a host has ended, for people. Those that we ended ourselves first. */
export const hostEnds = ['order', 'time-limit', 'worn', 'idle', 'memory', 'crashed', 'not-started'] as const;
export type HostEnd = (typeof hostEnds)[number];

export class Host {
  readonly threads: number;
  readonly concurrency: number;
  readonly ready: Promise<readonly WorkloadCard[]>;
  /** Attempts it holds. */
  readonly attempts = new Set<number>();
  wasReady = false;
  killedFor: KillReason | undefined;
  #endedFor: HostEnd | undefined;
  /** It is given nothing more, and ends when it has nothing left. */
  retiring = false;
  /** It works on a suspect, and on nothing beside. */
  reserved = false;
  /** As last seen. */
  rssBytes = 0;
  idleSince = performance.now();
  readonly #limits: HostLimits;
  readonly #child: ChildProcess;
  readonly #opened = new Set<string>();
  #orders: HostOrder[] = [];
  #tasksDone = 0;
  /** Something that was stopped goes on in it. */
  #abandoned = false;
  #memoryReadAt = Number.NEGATIVE_INFINITY;
  #stderrTail = '';

  constructor(threads: number, concurrency: number, hostLimits: HostLimits, events: HostEvents) {
    this.threads = threads;
    this.concurrency = concurrency;
    this.#limits = hostLimits;
    this.#child = fork(HOST_MAIN, [String(threads), String(concurrency)], {
      serialization: 'advanced',
      // Nobody reads its stdout: a task that prints without end costs the agent nothing.
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      ...commandFor(hostLimits),
    });
    const { pid } = this.#child;
    if (pid !== undefined) lowerPriority(pid);
    const ready = Promise.withResolvers<readonly WorkloadCard[]>();
    ready.promise.catch(() => {});
    this.ready = ready.promise;
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderrTail = (this.#stderrTail + text).slice(-limits.stderrTailBytes);
    });
    this.#child.on('message', (message: FromHost) => {
      switch (message.kind) {
        case 'ready':
          this.wasReady = true;
          return ready.resolve(message.workloads);
        case 'late':
          return events.late(message.late);
        case 'permits':
          for (const word of message.words) events.permit(this, word);
          return;
        case 'abandoned':
          this.#abandoned = true;
          return events.abandoned(this);
        case 'news':
          this.rssBytes = message.rssBytes;
          for (const news of message.news) {
            this.#tasksDone += news.to - news.from;
            events.news(this, news, message.stallMs);
          }
          return;
      }
    });
    let exit: { code: number | null; signal: NodeJS.Signals | null } = { code: null, signal: null };
    let dead = false;
    const died = (): void => {
      if (dead) return;
      dead = true;
      ready.reject(new Error(`a host process did not start: ${this.#stderrTail.trim() || `exit ${exit.code}`}`));
      const { rssBytes } = this;
      events.death(this, { exit: exit.code, signal: exit.signal, rssBytes, stderrTail: this.#stderrTail });
    };
    this.#child.on('error', (error) => {
      this.#stderrTail += error.message;
      // It never was a process: nothing more will come of it.
      if (this.#child.pid === undefined) setImmediate(died);
    });
    // What the process said last is still in the pipe when it exits. But a process that it started may hold that open.
    this.#child.on('exit', (code, signal) => {
      exit = { code, signal };
      setTimeout(died, limits.lastWordsMs);
    });
    this.#child.on('close', died);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Whether it may be given more. */
  get usable(): boolean {
    return this.killedFor === undefined && !this.retiring && !this.reserved;
  }

  /** It has done its part, has grown, or has in it what does not stop: a fresh one should take its place. */
  get worn(): boolean {
    const { tasksMax, memoryBytesMax } = this.#limits;
    return (
      this.#abandoned ||
      this.#tasksDone >= tasksMax ||
      this.rssBytes >= memoryBytesMax * this.threads * limits.recycleMemoryPart
    );
  }

  /** Looks at its memory; one that takes too much is killed, whatever it is doing. */
  checkMemory(): void {
    if (this.killedFor !== undefined) return;
    this.readMemory();
    if (this.rssBytes > this.#limits.memoryBytesMax * this.threads) this.kill('memory');
  }

  /** What its news said of its memory may be older than the tasks that filled it. */
  readMemory(): void {
    const now = performance.now();
    if (now - this.#memoryReadAt < limits.memoryStaleMs) return;
    this.#memoryReadAt = now;
    this.rssBytes = residentBytes(this.pid) ?? this.rssBytes;
  }

  give(run: HostRun, chunk: HostChunk): void {
    // It may die of its first chunk, before it has said anything.
    if (this.rssBytes === 0) this.readMemory();
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

  /** The attempt's next task may begin. */
  permit(attemptId: number): void {
    this.#send({ kind: 'permit', attemptId });
  }

  close(runId: string): void {
    if (this.#opened.delete(runId)) this.#send({ kind: 'close', runId });
  }

  /** While it is on no task begins. */
  hold(on: boolean): void {
    this.#send({ kind: 'hold', on });
  }

  /** To be asked when it has ended. */
  get endedFor(): HostEnd {
    return this.#endedFor ?? (this.wasReady ? 'crashed' : 'not-started');
  }

  /** At once, whatever it is doing. Its death is told like any other. @param end by what name, if not by its reason's */
  kill(reason: KillReason, end: HostEnd = reason): void {
    this.killedFor ??= reason;
    this.#endedFor ??= end;
    this.#child.kill('SIGKILL');
  }

  /** What is ordered in one turn goes out together. */
  #send(order: HostOrder): void {
    if (this.#orders.push(order) > 1) return;
    queueMicrotask(() => {
      const orders: ToHost = this.#orders;
      this.#orders = [];
      // A host that has just died takes no more messages; its death event says what became of its chunks.
      if (this.#child.connected) this.#child.send(orders, () => {});
    });
  }
}

/**
 * Linux can tie a process's life to its parent's, even where the parent is killed and the child is in a tight loop.
 * A heap that could outgrow the memory limit is told to stay below it, so that V8 says what it died of.
 */
function commandFor({ memoryBytesMax }: HostLimits): { execPath?: string; execArgv: string[] } {
  const heapMiB = Math.floor(Math.max(memoryBytesMax / 2, memoryBytesMax - BESIDES_HEAP_BYTES) / 2 ** 20);
  const node = memoryBytesMax < HEAP_DEFAULT_BYTES ? [`--max-old-space-size=${heapMiB}`] : [];
  const setpriv = '/usr/bin/setpriv';
  try {
    accessSync(setpriv, constants.X_OK);
  } catch {
    return { execArgv: node };
  }
  return { execPath: setpriv, execArgv: ['--pdeathsig', 'KILL', '--', process.execPath, ...node] };
}

/** Of a process, as Linux tells it; undefined where it is gone, or elsewhere. */
function residentBytes(pid: number): number | undefined {
  try {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch {
    return undefined;
  }
}

function lowerPriority(pid: number): void {
  try {
    setPriority(pid, NICENESS);
  } catch {
    // It died already, or the system forbids it: slower heartbeats under full load, nothing worse.
  }
}
