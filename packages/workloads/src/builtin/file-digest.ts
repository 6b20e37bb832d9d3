/**
 * Reads files and hashes them: waiting for a disk, and computing on what comes from it.
 *
 * In: `path`, a file or a folder, or several with commas between them, which the client lists and every node must see
 * under the same names; or, with none, `count` files of `bytes` bytes, made from (seed, number) on each machine where a
 * task first asks for one, and kept there. Out of a task: its file, its bytes and their SHA-256. Combined: how many
 * files and bytes, and one checksum over all in task order.
 *
 * Folders are read with all that is below them; what is neither a file nor a folder, links too, is left out. A file is
 * read in pieces, never held whole. What was read or made lately comes from memory: only a run over other files waits
 * for a disk.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { messageOf, RegattaError } from '@regatta/kernel';
import { defineWorkload } from '../define.ts';
import { digestValues } from '../digest.ts';
import { filesBelow } from './files/listed.ts';
import { seededFile } from './files/seeded.ts';

/** Of made files together. */
const MADE_BYTES_MAX = 16 * 2 ** 30;

interface Digest {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

export const fileDigest = defineWorkload({
  name: 'file-digest',
  kind: 'io',
  summary: 'Reads files; each task gives the size and the SHA-256 of one',
  parameters: {
    path: { default: '', description: 'files or folders, commas between them; empty to make files' },
    count: {
      default: 200,
      description: 'where path is empty: how many files are made',
      unit: 'tasks',
      min: 1,
      max: 100_000,
      integer: true,
    },
    bytes: {
      default: 2 ** 18,
      description: 'where path is empty: the size of each',
      unit: 'bytes',
      min: 0,
      max: 2 ** 30,
      integer: true,
    },
    seed: { default: 1, description: 'gives other made files', min: 0, max: 2 ** 32 - 1, integer: true },
  },
  tasks({ path, count, bytes }) {
    if (path !== '') return filesBelow(path).length;
    if (count * bytes > MADE_BYTES_MAX) {
      const what = `${count} files of ${bytes} bytes are more than ${MADE_BYTES_MAX} bytes`;
      throw new RegattaError('BAD_PARAMETER', `file-digest: ${what}; give less of count or bytes`);
    }
    return count;
  },
  // An empty one stands for a file that is made.
  inputs: ({ path, count }) => (path === '' ? new Array<string>(count).fill('') : filesBelow(path)),
  async run({ bytes, seed }, { task, input, signal }): Promise<Digest> {
    if (input !== '') return { file: input, ...(await digestOf(input, signal)) };
    // Without the folder, which may be another on each machine.
    const { name, path } = seededFile(seed, task, bytes);
    return { file: name, ...(await digestOf(path, signal)) };
  },
  combine(results) {
    let files = 0;
    let bytes = 0;
    const digests: string[] = [];
    for (const { value } of results) {
      files++;
      bytes += value.bytes;
      digests.push(value.sha256);
    }
    return { files, bytes, checksum: digestValues(digests).slice(0, 16) };
  },
});

/** @throws RegattaError CANNOT_READ that names the file; the signal's reason */
async function digestOf(path: string, signal: AbortSignal): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const piece of createReadStream(path, { signal, highWaterMark: 2 ** 18 }) as AsyncIterable<Buffer>) {
      bytes += piece.byteLength;
      hash.update(piece);
    }
  } catch (thrown) {
    signal.throwIfAborted();
    const why = messageOf(thrown).split(', ')[0];
    throw new RegattaError('CANNOT_READ', `file-digest: cannot read ${path}: ${why}; every node must see it there`);
  }
  return { bytes, sha256: hash.digest('hex') };
}
