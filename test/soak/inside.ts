/**
 * What a Node process holds, as it says itself: asked through its inspector, which it opens at SIGUSR1 on a port of its
 * own choice, and closes again afterwards.
 *
 * - N1: memory is what is left after a full collection, so it has no noise: what grew is held by something.
 * - N2: what keeps the event loop alive, timers included, is counted by kind (process.getActiveResourcesInfo).
 * - N3: the process must have been started with `withInspector()` in its environment, or it would take the usual port,
 *   which others may have.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { MIB } from '../bench/numbers.ts';
import { within } from '../bench/waiting.ts';

const ANSWER_MS_MAX = 15_000;
const POLL_MS = 20;
const FLAG = '--inspect-port=0';

export interface Inside {
  /** Of the heap and outside of it. */
  readonly usedMiB: number;
  /** Timers that keep the event loop alive; and everything else that does. */
  readonly timers: number;
  readonly others: number;
}

/** Makes processes that are started from now on choose a port of their own, once they are asked to be inspected. */
export function withInspector(): void {
  const options = process.env.NODE_OPTIONS ?? '';
  if (!options.includes(FLAG)) process.env.NODE_OPTIONS = `${options} ${FLAG}`.trim();
}

export const insideOf = (pid: number): Promise<Inside> =>
  within(ANSWER_MS_MAX, `process ${pid} to say what it holds`, inspect(pid));

async function inspect(pid: number): Promise<Inside> {
  const before = new Set(listeningPorts(pid));
  process.kill(pid, 'SIGUSR1');
  const port = await newPort(pid, before);
  const [target] = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as [
    { webSocketDebuggerUrl: string },
  ];
  const session = await Session.open(target.webSocketDebuggerUrl);
  try {
    // The second one frees what finalizers of the first let go of.
    for (let i = 0; i < 2; i++) await session.call('HeapProfiler.collectGarbage');
    const { memory, resources } = (await session.evaluate(
      '({ memory: process.memoryUsage(), resources: process.getActiveResourcesInfo() })',
    )) as { memory: NodeJS.MemoryUsage; resources: string[] };
    // It would wait for this very connection to close.
    await session.evaluate("void setTimeout(() => process.getBuiltinModule('node:inspector').close(), 100).unref()");
    const timers = resources.filter((kind) => kind === 'Timeout' || kind === 'Immediate').length;
    return { usedMiB: (memory.heapUsed + memory.external) / MIB, timers, others: resources.length - timers };
  } finally {
    session.close();
    await gone(pid, port);
  }
}

/** Chrome DevTools Protocol, as much of it as is needed. */
class Session {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, PromiseWithResolvers<Record<string, unknown>>>();
  #next = 1;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      const { id, result, error } = JSON.parse(String(data));
      const waiting = this.#waiting.get(id);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(error.message));
    });
  }

  static async open(url: string): Promise<Session> {
    const socket = new WebSocket(url);
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener('open', () => resolve(), { once: true });
      socket.addEventListener('error', () => reject(new Error(`cannot connect to ${url}`)), { once: true });
    });
    return new Session(socket);
  }

  call(method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const id = this.#next++;
    const answer = Promise.withResolvers<Record<string, unknown>>();
    this.#waiting.set(id, answer);
    this.#socket.send(JSON.stringify({ id, method, params }));
    return answer.promise;
  }

  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.call('Runtime.evaluate', { expression, returnByValue: true });
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return (result as { value?: unknown }).value;
  }

  close(): void {
    this.#socket.close();
  }
}

async function newPort(pid: number, before: ReadonlySet<number>): Promise<number> {
  for (let left = ANSWER_MS_MAX / POLL_MS; left > 0; left--) {
    const port = listeningPorts(pid).find((other) => !before.has(other));
    if (port !== undefined) return port;
    await sleep(POLL_MS);
  }
  throw new Error(`process ${pid} opened no inspector`);
}

async function gone(pid: number, port: number): Promise<void> {
  for (let left = ANSWER_MS_MAX / POLL_MS; left > 0 && listeningPorts(pid).includes(port); left--) await sleep(POLL_MS);
}

/** TCP ports of 127.0.0.1 that the process listens on (proc(5), /proc/net/tcp; state 0A). */
function listeningPorts(pid: number): number[] {
  const ports = new Map<string, number>();
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
    const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
    if (state === '0A') ports.set(`socket:[${inode}]`, Number.parseInt(local.split(':')[1]!, 16));
  }
  return socketsOf(pid).flatMap((socket) => ports.get(socket) ?? []);
}

function socketsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  } catch {
    // A descriptor closed while we looked, or the process is gone.
    return [];
  }
}
