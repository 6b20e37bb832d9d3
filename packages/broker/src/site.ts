/** Which NATS a service uses: its options, resolved once. What is wrong with them is said without repeating a secret. */
import { readSecret } from '@regatta/access';
import { RegattaError } from '@regatta/kernel';
import type { BrokerOptions } from './broker.ts';

export interface NatsFlags {
  /** URL[,URL...], or nothing for none. */
  readonly nats?: string | undefined;
  readonly natsUser?: string | undefined;
  readonly natsPasswordFile?: string | undefined;
  readonly natsTokenFile?: string | undefined;
}

/**
 * The same as options of a command line: what they are called there, in the environment, and in its help.
 * @param servers what the servers are for
 */
export const natsOptions = (servers: string) => [
  { flags: '--nats <url,...>', text: servers, env: 'REGATTA_NATS' },
  { flags: '--nats-user <name>', text: 'who to be there', env: 'REGATTA_NATS_USER' },
  {
    flags: '--nats-password-file <file>',
    text: 'that holds the password of that user',
    env: 'REGATTA_NATS_PASSWORD_FILE',
  },
  {
    flags: '--nats-token-file <file>',
    text: 'that holds a token, where NATS asks for one instead',
    env: 'REGATTA_NATS_TOKEN_FILE',
  },
];

/** Where NATS is, and who we are there. */
export type NatsSite = Omit<BrokerOptions, 'name'>;

/** That NATS has where none is named. */
const PORT = 4222;

type Credentials = Pick<BrokerOptions, 'user' | 'password' | 'token'>;

/**
 * @param told servers need not be named, as another process will tell them
 * @returns undefined where neither server nor credentials are given. @throws RegattaError BAD_NATS, BAD_SECRET
 */
export function resolveNats({ nats, ...flags }: NatsFlags, told = false): NatsSite | undefined {
  const given = credentialsOf(flags);
  if (!nats) {
    if (given !== undefined && !told) throw bad('credentials are given, but no server; name one with --nats');
    return given && { servers: [], ...given };
  }
  const urls = nats.split(',').map(urlOf);
  const inUrls = new Set(urls.map((url) => url.username + url.password).filter((text) => text !== ''));
  if (inUrls.size > 1) throw bad('the servers of --nats have different credentials; give one user for all of them');
  const withOnes = urls.find(({ username }) => username !== '');
  return {
    servers: urls.map(({ protocol, hostname, port }) => `${protocol}//${hostname}:${port || PORT}`),
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

/** Empty is as not given: so a variable may stay where nothing is to be said. */
function credentialsOf({ natsUser: user, natsPasswordFile, natsTokenFile }: NatsFlags): Credentials | undefined {
  if (!user !== !natsPasswordFile) throw bad('--nats-user and --nats-password-file go together; give both or neither');
  if (natsTokenFile) {
    if (user) throw bad('give --nats-user or --nats-token-file, not both');
    return { token: readSecret(natsTokenFile, '--nats-token-file') };
  }
  if (!user || !natsPasswordFile) return undefined;
  return { user, password: readSecret(natsPasswordFile, '--nats-password-file') };
}

const bad = (what: string): RegattaError => new RegattaError('BAD_NATS', what);

/** Whether NATS can tell us from a stranger. */
export const hasCredentials = ({ user, token, credentialsFile }: NatsSite): boolean =>
  Boolean(user || token || credentialsFile);
