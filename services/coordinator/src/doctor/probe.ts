/**
 * Asking with an end to it. Whatever is asked, the answer is a fact: what came, or why nothing did.
 *
 * - P1: a probe never rejects, and never takes longer than its limit, whatever is at the other end.
 */
import { messageOf, RegattaError } from '@regatta/kernel';
import { atMost } from '@regatta/kernel/patience';
import { limits } from './limits.ts';

export type Outcome<T> =
  | { readonly kind: 'answered'; readonly value: T }
  /** `code` of a RegattaError; empty for anything else. */
  | { readonly kind: 'failed'; readonly why: string; readonly code: string };

/** @param ask may end what it has begun when the signal fires; it is not waited for */
export async function probe<T>(
  ask: (signal: AbortSignal) => Promise<T>,
  msMax: number = limits.checkMsMax,
): Promise<Outcome<T>> {
  const over = new AbortController();
  const asked = ask(over.signal).then((value): Outcome<T> => ({ kind: 'answered', value }), failureOf);
  try {
    if (await atMost(msMax, asked)) return await asked;
    return failed(`it hangs: no answer in ${msMax} ms`, 'HANGS');
  } finally {
    over.abort();
  }
}

export const failed = (why: string, code = ''): Outcome<never> => ({ kind: 'failed', why, code });

const failureOf = (thrown: unknown): Outcome<never> =>
  failed(reasonOf(thrown), thrown instanceof RegattaError ? thrown.code : '');

/** Of fetch() and of sockets, the operating system's own word says most. */
function reasonOf(thrown: unknown): string {
  const { cause } = (thrown ?? {}) as { cause?: unknown };
  const { code } = (cause ?? thrown ?? {}) as { code?: unknown };
  const known = typeof code === 'string' ? SYSTEM[code] : undefined;
  return known ?? messageOf(cause ?? thrown).split('\n')[0] ?? '';
}

const SYSTEM: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'no host of that name is known',
  EAI_AGAIN: 'names cannot be resolved just now',
  EHOSTUNREACH: 'no route to that host',
  ENETUNREACH: 'no route to that network',
  ECONNRESET: 'the connection was cut off',
  ETIMEDOUT: 'no answer to a connection',
};
