/** The inputs of a run's tasks, as the coordinator takes them: packs of bounded size, in task order. */
import { RegattaError } from '@regatta/kernel';
import { limits as schedulerLimits } from '@regatta/scheduler';
import { Packer } from '@regatta/workloads';
import { limits } from '../engine/limits.ts';
import { limits as cliLimits } from './limits.ts';

/** Of each input in a pack, beside its own. */
const ENTRY_BYTES = 4;

/** @throws RegattaError INPUT_TOO_LARGE, INPUT_NOT_CLONEABLE that name the task */
export function* packInputs(inputs: Iterable<unknown>): Iterable<Buffer> {
  const packer = new Packer(cliLimits.uploadPartBytes + 4096);
  const fits = (more: number): boolean =>
    packer.bytes + more + ENTRY_BYTES * (packer.count + 2) <= cliLimits.uploadPartBytes;
  let task = 0;
  for (const input of inputs) {
    const bytes = add(packer, input, task);
    if (bytes > limits.inputBytesMax) {
      const message = `the input of task ${task} is ${bytes} bytes; at most ${limits.inputBytesMax} can be sent`;
      throw new RegattaError('INPUT_TOO_LARGE', `${message}: send less, or let tasks read it from where it is`);
    }
    if (packer.count > 1 && !fits(0)) {
      packer.dropLast();
      yield packer.finish();
      packer.add(input);
    }
    task++;
    // The next is mostly like this one, and need not be written twice.
    if (!fits(bytes) || packer.count >= schedulerLimits.chunkTasksMax) yield packer.finish();
  }
  if (packer.count > 0) yield packer.finish();
}

function add(packer: Packer, input: unknown, task: number): number {
  try {
    return packer.add(input);
  } catch {
    throw new RegattaError('INPUT_NOT_CLONEABLE', `the input of task ${task} cannot be copied to another process`);
  }
}
