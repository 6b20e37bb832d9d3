/**
 * What a task of `faulty` can do wrong, each by the name that it is asked for by. They are as bad as they sound: call
 * one only in a process that may die, hang or swallow the machine's memory.
 *
 * In a thread, some of them reach less far than in a process of their own: `exit` ends the thread alone, and Node
 * refuses `abort` there, which then throws.
 */

/** What a task gives that is still there to give something. */
type Outcome = number | Uint8Array | Promise<never>;

type Fault = (task: number, bytes: number) => Outcome;

const LATE_MS = 20;
const BUFFER_BYTES = 2 ** 25;
/** A bound for machines that have more: nobody's mistake needs as much. */
const BUFFERS_BYTES_MAX = 2 ** 34;
const FLOOD_BYTES = 2 ** 26;
const FLOOD_PIECE = `${'flood '.repeat(10)}...\n`.repeat(1024);

export const faults: Readonly<Record<string, Fault>> = {
  throw: (task) => {
    throw new Error(`faulty on purpose: task ${task} throws`);
  },
  exit: () => process.exit(7),
  abort: () => process.abort(),
  kill: (task) => {
    process.kill(process.pid, 'SIGKILL');
    return task;
  },
  heap: fillHeap,
  buffers: fillBuffers,
  spin: () => {
    for (;;);
  },
  wait: waitForEver,
  leak: (task, bytes) => {
    leaked.push(touched(bytes));
    return task;
  },
  reject: (task) => {
    setTimeout(() => leaveRejected(task), LATE_MS);
    return task;
  },
  'reject-soon': (task) => {
    queueMicrotask(() => leaveRejected(task));
    return task;
  },
  'late-throw': (task) => {
    setTimeout(() => {
      throw new Error(`faulty on purpose: a timer of task ${task} throws`);
    }, LATE_MS);
    return task;
  },
  flood: (task) => flood(process.stdout, task),
  'flood-stderr': (task) => flood(process.stderr, task),
  large: (_task, bytes) => new Uint8Array(bytes),
};

const leaked: Uint8Array[] = [];

/** Filled, for memory that nobody has written to costs nothing. */
const touched = (bytes: number): Uint8Array => Buffer.alloc(bytes, 1);

/** 8 MB a step: where small objects fill the heap, V8 collects over and over for many seconds before it gives up. */
function fillHeap(task: number): never {
  const grown: number[][] = [];
  for (;;) grown.push(new Array<number>(1_000_000).fill(task));
}

/** Outside of the JS heap, where V8's own limit does not reach. */
function fillBuffers(): never {
  const grown: Uint8Array[] = [];
  while (grown.length * BUFFER_BYTES < BUFFERS_BYTES_MAX) grown.push(touched(BUFFER_BYTES));
  throw new Error(`faulty on purpose: nothing stopped it at ${BUFFERS_BYTES_MAX} bytes of buffers`);
}

function waitForEver(): Promise<never> {
  // An event loop with nothing left to do would end, and the process with it.
  setInterval(() => {}, 2 ** 31 - 1);
  return new Promise(() => {});
}

function leaveRejected(task: number): void {
  void Promise.reject(new Error(`faulty on purpose: task ${task} left a promise that rejects`));
}

/** Does not wait for the stream to drain: whoever floods does not ask. */
function flood(stream: NodeJS.WriteStream, task: number): number {
  for (let written = 0; written < FLOOD_BYTES; written += FLOOD_PIECE.length) stream.write(FLOOD_PIECE);
  return task;
}
