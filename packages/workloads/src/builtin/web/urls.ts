/** Which pages a run of web-scraper fetches: named one by one, listed in a file, or made by number. */
import { readFileSync, statSync } from 'node:fs';
import { messageOf, RegattaError } from '@regatta/kernel';

export interface UrlSource {
  /** URLs with commas between them, or the path of a file with one a line; empty for those made of the other two. */
  readonly urls: string;
  readonly base: string;
  readonly count: number;
}

const FILE_BYTES_MAX = 256 * 2 ** 20;
const URL_CHARACTERS_MAX = 8192;

/** @throws RegattaError BAD_URL that says where it is wrong, or CANNOT_READ */
export function urlCount(source: UrlSource): number {
  if (source.urls === '') {
    checkedUrl(source.base, 'base');
    return source.count;
  }
  const { length } = named(source.urls);
  if (length === 0)
    throw new RegattaError('BAD_URL', `web-scraper: there is no URL in ${source.urls}; write one a line`);
  return length;
}

/** As many as were counted, in the order that they were written in. */
export function* urlsOf(source: UrlSource): Generator<string> {
  if (source.urls !== '') return yield* named(source.urls);
  for (let n = 0; n < source.count; n++) {
    const url = new URL(source.base);
    url.searchParams.set('n', String(n));
    yield url.href;
  }
}

// A URL may hold commas: only one with another URL behind it stands between two.
const BETWEEN_URLS = /\s*,\s*(?=[a-z][a-z0-9+.-]*:\/\/)/i;

const named = (urls: string): string[] =>
  urls.includes('://')
    ? urls
        .trim()
        .split(BETWEEN_URLS)
        .map((url) => checkedUrl(url, 'urls'))
    : readList(urls);

function readList(path: string): string[] {
  const urls: string[] = [];
  for (const [index, line] of readText(path).split('\n').entries()) {
    const text = line.trim();
    if (text !== '' && !text.startsWith('#')) urls.push(checkedUrl(text, `${path}:${index + 1}`));
  }
  return urls;
}

function readText(path: string): string {
  try {
    const { size } = statSync(path);
    if (size > FILE_BYTES_MAX) throw new Error(`it has ${size} bytes; at most ${FILE_BYTES_MAX} are read`);
    return readFileSync(path, 'utf8');
  } catch (thrown) {
    const why = `cannot read the list of URLs ${path}: ${messageOf(thrown).split(', ')[0]}`;
    throw new RegattaError('CANNOT_READ', `web-scraper: ${why}; give a file with one URL a line, or URLs`);
  }
}

function checkedUrl(text: string, where: string): string {
  const bad = (why: string): RegattaError =>
    new RegattaError('BAD_URL', `web-scraper: ${where}: ${JSON.stringify(text.slice(0, 200))} ${why}`);
  if (text.length > URL_CHARACTERS_MAX) throw bad(`has more than ${URL_CHARACTERS_MAX} characters`);
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) throw bad('is no URL; give http://… or https://…');
  if (url.username !== '' || url.password !== '') {
    // Without the text, which is a secret.
    throw new RegattaError(
      'BAD_URL',
      `web-scraper: ${where}: a URL of ${url.host} holds a user name; it would not be sent`,
    );
  }
  url.hash = '';
  return url.href;
}

/** `example.org:443`: the name of what is talked to, by whatever URL. */
export function hostAndPort(href: string): string {
  const { hostname, port, protocol } = new URL(href);
  return `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`;
}
