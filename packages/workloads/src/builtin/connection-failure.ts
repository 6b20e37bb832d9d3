/** What goes wrong on the way to a server, in one line that names where it was to be. */
import { messageOf, RegattaError } from '@regatta/kernel';

/** By the codes of Node and undici. */
const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the name could not be looked up: no name server answered',
  ECONNREFUSED: 'the connection was refused: nothing listens there',
  ECONNRESET: 'the connection broke off',
  EPIPE: 'the connection broke off',
  UND_ERR_SOCKET: 'the connection broke off',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that network',
  ETIMEDOUT: 'no connection came about',
  UND_ERR_CONNECT_TIMEOUT: 'no connection came about within 10 s',
  EMFILE: 'this process has no file descriptor left: set connections, or raise its limit',
  EADDRNOTAVAIL: 'this machine has no port left: set connections',
  UND_ERR_HEADERS_OVERFLOW: 'its headers are too large',
};

/** @param where a URL, or a host and port: without a password */
export function connectionFailure(where: string, thrown: unknown): RegattaError<'NO_ANSWER'> {
  const code = codeOf(thrown);
  const isNoHttp = thrown instanceof Error && thrown.name === 'HTTPParserError';
  const reason = REASONS[code] ?? (isNoHttp ? `what it answers is no HTTP: ${firstLine(thrown)}` : firstLine(thrown));
  return new RegattaError('NO_ANSWER', code === '' ? `${where}: ${reason}` : `${where}: ${reason} (${code})`);
}

const codeOf = (thrown: unknown): string =>
  thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : '';

const firstLine = (thrown: unknown): string => messageOf(thrown).split('\n', 1)[0]!;
