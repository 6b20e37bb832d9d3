/** A secret in a file of its own, as container engines and configuration tools hand them out. */
import { closeSync, openSync, readSync } from 'node:fs';
import { messageOf, RegattaError } from '@regatta/kernel';
import { limits } from './limits.ts';

/**
 * What the file holds, without white space around it. No more of it is read than a secret may be.
 * @param option that named the file, for the errors
 * @throws RegattaError BAD_SECRET in one line that tells nothing of what the file holds
 */
export function readSecret(file: string, option: string): string {
  const bytes = Buffer.alloc(limits.secretFileBytesMax + 1);
  const length = readInto(bytes, file, option);
  const secret = bytes.toString('utf8', 0, length).trim();
  bytes.fill(0);
  if (length > limits.secretFileBytesMax) {
    throw bad(
      `${file} has more than ${limits.secretFileBytesMax} bytes; ${option} names a file that holds the secret alone`,
    );
  }
  if (secret === '') throw bad(`${file} is empty; ${option} names a file that holds the secret alone`);
  return secret;
}

function readInto(bytes: Buffer, file: string, option: string): number {
  try {
    const descriptor = openSync(file, 'r');
    try {
      let length = 0;
      // A pipe gives what it has, not what it is asked for.
      for (let got = -1; got !== 0 && length < bytes.length; length += got) {
        got = readSync(descriptor, bytes, length, bytes.length - length, null);
      }
      return length;
    } finally {
      closeSync(descriptor);
    }
  } catch (thrown) {
    throw bad(`cannot read what ${option} names: ${messageOf(thrown)}`);
  }
}

const bad = (what: string): RegattaError<'BAD_SECRET'> => new RegattaError('BAD_SECRET', what);
