/** What NATS and the operating system say when there is no connection, in one line: what, where, what to do. */
import { messageOf } from '@regatta/kernel';
import { ErrorCode, type NatsError } from 'nats';

/** How we say who we are. */
export type Identity =
  | { readonly kind: 'nobody' }
  | { readonly kind: 'user' | 'token' | 'file'; readonly name: string };

const REFUSALS = new Set<string>([
  ErrorCode.AuthorizationViolation,
  ErrorCode.BadAuthentication,
  ErrorCode.AuthenticationTimeout,
  ErrorCode.AuthenticationExpired,
  ErrorCode.AccountExpired,
  // Of a server that wants a signature.
  ErrorCode.BadCreds,
]);

export const isRefusal = (code: unknown): boolean => typeof code === 'string' && REFUSALS.has(code);

/** @param where the server or servers */
export function dialComplaint(error: unknown, where: string, who: Identity): string {
  const { code } = error as NatsError;
  if (isRefusal(code)) return refusalComplaint(where, who);
  const why = code === ErrorCode.ConnectionRefused ? 'connection refused' : reasonOf(error);
  return `no NATS server answers at ${where} (${why}): start one there, or correct the address; trying on`;
}

export function refusalComplaint(where: string, who: Identity): string {
  const mend = 'correct that, here or there; trying on';
  switch (who.kind) {
    case 'nobody':
      return `NATS at ${where} wants credentials and we were given none: ${mend}`;
    case 'user':
      return `NATS at ${where} refuses user ${who.name} or the password: ${mend}`;
    case 'token':
      return `NATS at ${where} refuses our token: ${mend}`;
    case 'file':
      return `NATS at ${where} refuses the credentials in ${who.name}: ${mend}`;
  }
}

export const lostComplaint = (where: string): string =>
  `lost NATS at ${where}: start it again, if it is down; trying on`;

/** @param error of a request to the JetStream API */
export function jetStreamComplaint(error: unknown, where: string): string {
  const { code, api_error: api } = error as NatsError;
  if (code === ErrorCode.JetStreamNotEnabled || api?.err_code === 10_039 || api?.err_code === 10_076) {
    const who = api?.err_code === 10_039 ? ' for our account' : '';
    return `NATS at ${where} has no JetStream${who}: enable it (nats-server --jetstream) and restart NATS; trying on`;
  }
  return `JetStream of NATS at ${where} does not answer (${reasonOf(error)}): see NATS's own log; trying on`;
}

function reasonOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  if (code === ErrorCode.Timeout) return 'no answer in time';
  return (messageOf(error ?? 'connection closed').split('\n')[0] ?? '').slice(0, 200);
}
