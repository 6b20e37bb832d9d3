import { closeSync, openSync, writeSync } from 'node:fs';
import { mixSeed, Rng } from '@regatta/kernel';
import { madeOnce } from '../../made-once.ts';

const PIECE_BYTES = 65_536;

/** A file of bytes that depend on (seed, number) alone; made where there is none. @throws RegattaError CANNOT_MAKE */
export function seededFile(seed: number, number: number, bytes: number): { name: string; path: string } {
  const name = `file-digest-${seed}-${number}-${bytes}.bin`;
  return { name, path: madeOnce(name, (part) => write(part, new Rng(mixSeed(seed, number)), bytes)) };
}

function write(path: string, rng: Rng, bytes: number): void {
  const file = openSync(path, 'wx');
  try {
    const piece = Buffer.allocUnsafe(PIECE_BYTES);
    for (let left = bytes; left > 0; left -= PIECE_BYTES) {
      for (let at = 0; at < PIECE_BYTES; at += 4) piece.writeUInt32LE(rng.uint32(), at);
      writeAll(file, piece.subarray(0, left));
    }
  } finally {
    closeSync(file);
  }
}

/** A write may take less than it was given. */
function writeAll(file: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.byteLength; ) done += writeSync(file, bytes, done);
}
