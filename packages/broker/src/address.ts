/** Where NATS is and who we are there, from what a person wrote: `host`, `host:port`, `nats://user:password@host:port`. */
import { RegattaError } from '@regatta/kernel';

export interface Addresses {
  /** `host:port` or `tls://host:port`, without credentials: fit to be shown. */
  readonly servers: readonly string[];
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
}

const PORT = 4222;

/**
 * @param written each one address or several with commas; the first that has credentials gives them for all
 * @throws RegattaError BAD_NATS_ADDRESS
 */
export function addressesOf(written: readonly string[]): Addresses {
  const urls = written
    .flatMap((text) => text.split(','))
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .map(urlOf);
  if (urls.length === 0)
    throw new RegattaError('BAD_NATS_ADDRESS', 'no address of NATS is given: name one, as host:port');
  const servers = urls.map((url) => {
    const host = `${url.hostname}:${url.port || PORT}`;
    return url.protocol === 'tls:' ? `tls://${host}` : host;
  });
  const withCredentials = urls.find(({ username }) => username !== '');
  if (withCredentials === undefined) return { servers };
  const [user, password] = [withCredentials.username, withCredentials.password].map(decodeURIComponent);
  return password === '' ? { servers, token: user! } : { servers, user: user!, password: password! };
}

function urlOf(text: string): URL {
  const url = URL.parse(text.includes('://') ? text : `nats://${text}`);
  if (url !== null && /^(nats|tls):$/.test(url.protocol) && url.hostname !== '' && isDecodable(url)) return url;
  // What stands before an @ may be a password.
  const shown = text.replace(/^(.*:\/\/)?.*@/, '$1…@').slice(0, 100);
  throw new RegattaError('BAD_NATS_ADDRESS', `${shown} is no address of NATS: write host:port or nats://host:port`);
}

function isDecodable({ username, password }: URL): boolean {
  try {
    decodeURIComponent(username + password);
    return true;
  } catch {
    return false;
  }
}
