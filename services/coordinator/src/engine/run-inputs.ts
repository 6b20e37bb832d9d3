/**
 * The inputs of one run's tasks, in the parts that the client sent. A chunk lies within one part, so what a node is sent
 * at once is bounded by what a part may hold.
 */
import { RegattaError } from '@regatta/kernel';
import { packCount, slicePack, unpack } from '@regatta/workloads';
import { ByteLog, type Shelf } from './byte-log.ts';
import { limits } from './limits.ts';

const NOTHING = new Uint8Array(0);

interface Part {
  readonly from: number;
  readonly position: number;
  readonly bytes: number;
}

export class RunInputs {
  readonly #log: ByteLog;
  readonly #parts: Part[] = [];
  #tasks = 0;
  #failure: Error | undefined;
  #dropped = false;
  /** The part that was read last: chunks are mostly handed out in order. */
  #read: { readonly part: Part; readonly pack: Uint8Array } | undefined;

  constructor(shelf: Shelf) {
    this.#log = new ByteLog(shelf, (error) => {
      this.#failure = error;
    });
  }

  /** How many tasks have theirs. */
  get tasks(): number {
    return this.#tasks;
  }

  get bytes(): number {
    return this.#log.size;
  }

  /** Where parts begin, but for the first: no chunk may cross one. */
  get cuts(): number[] {
    return this.#parts.slice(1).map(({ from }) => from);
  }

  /**
   * Adds the inputs of the next tasks.
   * @throws RegattaError BAD_INPUTS, INPUT_TOO_LARGE, CANNOT_KEEP_INPUTS in one line
   */
  add(pack: Uint8Array, tasksMax: number): void {
    const count = countOf(pack, this.#tasks);
    if (this.#tasks + count > tasksMax) throw bad(`it has ${tasksMax} tasks and more inputs than that`);
    if (count === 1) refuseLarge(pack, this.#tasks);
    if (this.#parts.length >= limits.inputPartsMax)
      throw bad(`its inputs come in more than ${limits.inputPartsMax} parts`);
    if (this.#log.size + pack.byteLength > limits.inputBytesPerRunMax) {
      throw bad(`its inputs are more than ${limits.inputBytesPerRunMax} bytes in all`);
    }
    const part = { from: this.#tasks, position: this.#log.size, bytes: pack.byteLength };
    this.#log.append(pack);
    if (this.#failure !== undefined) {
      throw new RegattaError('CANNOT_KEEP_INPUTS', `the coordinator cannot store its inputs: ${this.#failure.message}`);
    }
    this.#parts.push(part);
    this.#tasks += count;
  }

  /** A pack of the inputs of [from, to), which lies within one part; empty once they are dropped. */
  slice(from: number, to: number): Uint8Array {
    if (this.#dropped) return NOTHING;
    const part = this.#partOf(from);
    if (this.#read?.part !== part) this.#read = { part, pack: this.#log.read(part.position, part.bytes) };
    return slicePack(this.#read.pack, from - part.from, to - part.from);
  }

  /** The packs that they came in. */
  *parts(): Generator<Uint8Array> {
    for (const { position, bytes } of this.#parts) yield this.#log.read(position, bytes);
  }

  drop(): void {
    this.#dropped = true;
    this.#read = undefined;
    this.#log.close();
  }

  #partOf(task: number): Part {
    let [low, high] = [0, this.#parts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#parts[middle]!.from <= task) low = middle;
      else high = middle - 1;
    }
    return this.#parts[low]!;
  }
}

function countOf(pack: Uint8Array, from: number): number {
  let count = 0;
  try {
    count = packCount(pack);
    // Not looked at any closer: there may be millions of them.
    if (count > 1 && pack.byteLength > limits.inputPartBytesMax) {
      throw bad(`inputs from task ${from} on come in a part of ${pack.byteLength} bytes; send smaller parts`);
    }
    unpack(pack);
  } catch (thrown) {
    throw thrown instanceof RegattaError ? thrown : bad(`inputs from task ${from} on cannot be read`);
  }
  if (count === 0) throw bad(`inputs from task ${from} on are an empty part`);
  return count;
}

function refuseLarge(pack: Uint8Array, task: number): void {
  const [entry] = unpack(pack);
  if (entry!.byteLength <= limits.inputBytesMax) return;
  const message = `the input of task ${task} is ${entry!.byteLength} bytes; at most ${limits.inputBytesMax} can be sent`;
  throw new RegattaError('INPUT_TOO_LARGE', `${message}: send less, or let tasks read it from where it is`);
}

const bad = (message: string): RegattaError => new RegattaError('BAD_INPUTS', message);
