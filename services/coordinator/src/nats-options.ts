/** Which NATS `serve` uses: its options, resolved once. What is wrong with them is said without repeating a secret. */
import { readFileSync } from 'node:fs';
import type { BrokerOptions } from '@regatta/broker';
import { messageOf, RegattaError } from '@regatta/kernel';

export interface NatsFlags {
  /** URL[,URL...], or nothing for none. */
  readonly nats?: string;
  readonly natsUser?: string;
  readonly natsPasswordFile?: string;
  readonly natsTokenFile?: string;
}

/** That NATS has where none is named. */
const PORT = 4222;

interface Credentials {
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
}

/** @returns undefined where no NATS is named. @throws RegattaError BAD_NATS */
export function resolveNats({ nats = '', ...flags }: NatsFlags): BrokerOptions | undefined {
  const given = credentialsOf(flags);
  if (nats === '') {
    if (given !== undefined) throw bad('credentials are given, but no server; name one with --nats');
    return undefined;
  }
  const urls = nats.split(',').map(urlOf);
  const inUrls = new Set(urls.map((url) => url.username + url.password).filter((text) => text !== ''));
  if (inUrls.size > 1) throw bad('the servers of --nats have different credentials; give one user for all of them');
  const withOnes = urls.find(({ username }) => username !== '');
  return {
    servers: urls.map(({ protocol, hostname, port }) => `${protocol}//${hostname}:${port || PORT}`),
    name: 'regatta coordinator',
    ...(given ?? (withOnes && ofUrl(withOnes))),
  };
}

/** An `nats://` in front may be left out; a name without a password is a token, as NATS has it. */
function urlOf(text: string): URL {
  const url = URL.parse(text.includes('://') ? text : `nats://${text}`);
  const isServer = url !== null && /^(nats|tls):$/.test(url.protocol) && url.hostname !== '';
  if (isServer && /^\/?$/.test(url.pathname + url.search + url.hash)) return url;
  const shown = text.slice(text.lastIndexOf('@') + 1);
  throw bad(`${JSON.stringify(shown)} is no NATS server; give --nats nats://HOST:PORT, more of them with commas`);
}

function ofUrl(url: URL): Credentials {
  try {
    const [user, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)];
    return password === '' ? { token: user } : { user, password };
  } catch {
    throw bad('the user or password in --nats has a % that is no escape; write it as %25');
  }
}

function credentialsOf({ natsUser: user, natsPasswordFile, natsTokenFile }: NatsFlags): Credentials | undefined {
  if ((user === undefined) !== (natsPasswordFile === undefined)) {
    throw bad('--nats-user and --nats-password-file go together; give both or neither');
  }
  if (natsTokenFile !== undefined) {
    if (user !== undefined) throw bad('give --nats-user or --nats-token-file, not both');
    return { token: secretIn(natsTokenFile, '--nats-token-file') };
  }
  if (user === undefined || natsPasswordFile === undefined) return undefined;
  return { user, password: secretIn(natsPasswordFile, '--nats-password-file') };
}

function secretIn(file: string, option: string): string {
  try {
    const secret = readFileSync(file, 'utf8').trim();
    if (secret !== '') return secret;
  } catch (thrown) {
    throw bad(`cannot read what ${option} names: ${messageOf(thrown)}`);
  }
  throw bad(`${file} is empty; ${option} names a file that holds the secret alone`);
}

const bad = (what: string): RegattaError => new RegattaError('BAD_NATS', what);
