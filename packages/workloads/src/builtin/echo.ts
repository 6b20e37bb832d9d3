/**
 * Tasks that give back what they were sent: what is left is what it costs to carry data both ways.
 *
 * In: `count` tasks with an input of `bytes` bytes each, made one by one as they are asked for. Out of a task: its
 * input. Combined: how many came back, their bytes, and how many of them were intact.
 *
 * An input is zeros but for a mark every 64 KiB and one at its end, each made of the task and the place. Making and
 * checking it so costs far less than sending it, and yet a result that was swapped, shifted or cut short is noticed;
 * a byte that went wrong between two marks is not.
 */
import { defineWorkload } from '../define.ts';

const MARK_EVERY_BYTES = 65_536;
const MARK_BYTES = 4;

export const echo = defineWorkload({
  name: 'echo',
  kind: 'cpu',
  summary: 'Gives back the bytes that it is sent, to measure the cost of payloads both ways',
  parameters: {
    count: { default: 64, description: 'how many tasks', unit: 'tasks', min: 1, max: 10_000_000, integer: true },
    // Large enough to try where a cluster refuses.
    bytes: {
      default: 2 ** 20,
      description: 'size of an input, and of a result',
      unit: 'bytes',
      min: 0,
      max: 2 ** 26,
      integer: true,
    },
  },
  tasks: ({ count }) => count,
  *inputs({ count, bytes }) {
    for (let task = 0; task < count; task++) yield markedBytes(task, bytes);
  },
  run: (_params, { input }) => input,
  combine(results, { bytes: each }) {
    let tasks = 0;
    let bytes = 0;
    let intact = 0;
    for (const { task, value } of results) {
      tasks++;
      bytes += value.byteLength;
      if (value.byteLength === each && hasItsMarks(task, value)) intact++;
    }
    return { tasks, bytes, intact };
  },
});

/** A new array each time, never one that is written again: those before it may still be waiting to be sent. */
function markedBytes(task: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const view = viewOf(bytes);
  for (const offset of markOffsets(length)) view.setUint32(offset, markAt(task, offset), true);
  return bytes;
}

function hasItsMarks(task: number, bytes: Uint8Array): boolean {
  const view = viewOf(bytes);
  for (const offset of markOffsets(bytes.byteLength)) {
    if (view.getUint32(offset, true) !== markAt(task, offset)) return false;
  }
  return true;
}

/** The first mark is the task's index, plain to see in a dump. */
const markAt = (task: number, offset: number): number => (task + offset) >>> 0;

/** None where there is no room for one. */
function* markOffsets(length: number): Generator<number> {
  for (let offset = 0; offset + MARK_BYTES <= length; offset += MARK_EVERY_BYTES) yield offset;
  if (length >= MARK_BYTES) yield length - MARK_BYTES;
}

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, byteLength);
