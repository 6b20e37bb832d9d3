/**
 * Tokens: where one comes from, and whether one that is given is the right one.
 *
 * - S1: a token is compared by its digest in constant time: an answer tells nothing of how much of a guess was right.
 * - S2: no error repeats a token, and whatever this process starts inherits none: it is taken out of the environment. Where
 *   the system shows what this process was started with, it stays: /proc/PID/environ, to the same user.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { statSync } from 'node:fs';
import { counted, RegattaError } from '@regatta/kernel';
import { limits } from './limits.ts';
import { readSecret } from './secret.ts';

/** A file counts more than a text: it was asked for by an option, or can be replaced. Empty is as not given. */
export interface TokenSource {
  readonly file?: string | undefined;
  readonly text?: string | undefined;
  /** What names the file, and what holds the text, for the errors. */
  readonly option: string;
  readonly variable: string;
}

/** The one token of nodes and clients. @param text as taken from the environment */
export const joinToken = (file?: string, text?: string): TokenSource => ({
  file,
  text,
  option: '--token-file',
  variable: 'REGATTA_TOKEN',
});

/** @returns undefined where none is given. @throws RegattaError BAD_SECRET, BAD_TOKEN in one line */
export function readToken({ file, text, option, variable }: TokenSource): string | undefined {
  if (file) return checked(readSecret(file, option), file);
  const token = text?.trim();
  return token ? checked(token, variable) : undefined;
}

function checked(token: string, where: string): string {
  const { tokenCharactersMin: min, tokenCharactersMax: max } = limits;
  const bad = (what: string): RegattaError => new RegattaError('BAD_TOKEN', `the token in ${where} ${what}`);
  // It travels in a header.
  if (!/^[\x21-\x7e]+$/.test(token)) throw bad('must be printable ASCII without spaces, on one line');
  if (token.length < min) throw bad(`has ${counted(token.length, 'character')}; it must have at least ${min}`);
  if (token.length > max) throw bad(`has more than ${max} characters`);
  return token;
}

/** A token whose file may be replaced while this process runs. */
export class TokenReader {
  readonly #source: TokenSource;
  #last: string | undefined;

  /** @throws as readToken */
  constructor(source: TokenSource) {
    this.#source = source;
    this.#last = readToken(source);
  }

  /** What the file holds now; what it held last, while somebody writes it or it cannot be read. */
  read(): string | undefined {
    const { file } = this.#source;
    try {
      // A pipe has nothing for a second reader, or keeps it waiting.
      if (file && statSync(file).isFile()) this.#last = readToken(this.#source);
    } catch {
      // The coordinator says what there is to say of the old one.
    }
    return this.#last;
  }
}

/** Takes a secret out of the environment of this process (S2). */
export function takeSecret(variable: string, environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const text = environment[variable];
  delete environment[variable];
  return text;
}

/** S1. */
export const sameToken = (given: string, expected: string): boolean =>
  given.length <= limits.tokenCharactersMax && timingSafeEqual(digestOf(given), digestOf(expected));

const digestOf = (token: string): Buffer => createHash('sha256').update(token).digest();

export type Verdict = 'accepted' | 'missing' | 'wrong';

/** @param authorization the header of a request, if it has one */
export function judge(authorization: string | undefined, expected: string): Verdict {
  if (!authorization) return 'missing';
  const given = /^bearer +(\S+)$/i.exec(authorization)?.[1];
  return given !== undefined && sameToken(given, expected) ? 'accepted' : 'wrong';
}

/** By flag, or by REGATTA_INSECURE: a variable that is there but empty or 0 says no. */
export const isInsecure = (flag: boolean | undefined, variable = process.env.REGATTA_INSECURE): boolean =>
  flag === true || variable === '1' || variable === 'true';
