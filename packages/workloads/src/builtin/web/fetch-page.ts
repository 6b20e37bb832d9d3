/**
 * One page, fetched and hashed as it comes in: it is never held whole.
 *
 * - F1: connections are shared by all tasks of a thread and kept open between them.
 * - F2: whatever the outcome, nothing of the request is left: its body is read to the end or its connection closed.
 */
import { createHash } from 'node:crypto';
import { counted, RegattaError } from '@regatta/kernel';
import type { Agent, Dispatcher } from 'undici';
import { RetryLater } from '../../retry-later.ts';
import { connectionFailure } from '../connection-failure.ts';
import { retryAfterMs } from './retry-after.ts';

export interface PageLimits {
  readonly method: 'GET' | 'HEAD';
  /** For the whole page, with its redirects. */
  readonly timeoutMs: number;
  readonly redirects: number;
  readonly maxBytes: number;
  /** To one origin, from this thread; 0 for as many as there are requests. */
  readonly connections: number;
}

export interface Page {
  /** The URL that was asked for, not the one that it led to. */
  readonly url: string;
  readonly status: number;
  readonly redirects: number;
  /** Of the body as it was sent, and its hash. */
  readonly bytes: number;
  readonly sha256: string;
  /** From the first request to the head of the last answer: looking up, connecting and redirects included. */
  readonly ttfbMs: number;
  /** To the end of the body. */
  readonly totalMs: number;
}

/** Of an answer that is not wanted; where there is more, its connection is closed instead. */
const DUMPED_BYTES_MAX = 65_536;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * @param signal stops it; it then rejects with the signal's reason
 * @throws RegattaError HTTP_STATUS, TIMED_OUT, TOO_MANY_BYTES, TOO_MANY_REDIRECTS or NO_ANSWER, each naming the URL;
 *   RetryLater where the server said when to come again
 */
export async function fetchPage(url: string, limits: PageLimits, signal: AbortSignal): Promise<Page> {
  const stop = new AbortController();
  const onAbort = (): void => stop.abort(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  const { timeoutMs } = limits;
  const timer = setTimeout(() => stop.abort(timedOut(url, timeoutMs)), timeoutMs);
  try {
    return await follow(url, limits, stop.signal);
  } catch (thrown) {
    if (stop.signal.aborted) throw stop.signal.reason;
    throw thrown instanceof RegattaError || thrown instanceof RetryLater ? thrown : connectionFailure(url, thrown);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

const timedOut = (url: string, timeoutMs: number): RegattaError =>
  new RegattaError('TIMED_OUT', `${url}: no whole answer within ${timeoutMs} ms (timeoutMs)`);

async function follow(url: string, limits: PageLimits, signal: AbortSignal): Promise<Page> {
  const { request, dispatcher } = await connector(limits.connections);
  const startedAt = performance.now();
  let at = url;
  for (let redirects = 0; ; redirects++) {
    const { method } = limits;
    const answer = await request(at, { dispatcher, method, signal, headers: { 'user-agent': 'regatta-web-scraper' } });
    const { statusCode: status, headers, body } = answer;
    const location = REDIRECTS.has(status) ? headers.location : undefined;
    if (location === undefined && status < 400) {
      const ttfbMs = performance.now() - startedAt;
      const { bytes, sha256 } = await hashed(url, answer, limits.maxBytes);
      return { url, status, redirects, bytes, sha256, ttfbMs, totalMs: performance.now() - startedAt };
    }
    // Rejects by the signal alone: the status stands, whatever becomes of what comes with it.
    await body.dump({ limit: DUMPED_BYTES_MAX, signal });
    if (location === undefined) throw statusFailure(url, status, headers['retry-after']);
    if (redirects === limits.redirects) {
      throw new RegattaError(
        'TOO_MANY_REDIRECTS',
        `${url}: more than ${counted(redirects, 'redirect')}, the last to ${location}`,
      );
    }
    at = nextUrl(url, at, String(location));
  }
}

function statusFailure(url: string, status: number, retryAfter: string | string[] | undefined): Error {
  const told = status === 429 || status === 503 ? retryAfterMs(retryAfter, Date.now()) : undefined;
  if (told === undefined) return new RegattaError('HTTP_STATUS', `${url}: HTTP status ${status}`);
  return new RetryLater(`${url}: HTTP status ${status}, to be tried again after ${told / 1000} s`, told);
}

function nextUrl(url: string, from: string, location: string): string {
  const next = URL.parse(location, from);
  if (next !== null && /^https?:$/.test(next.protocol)) return next.href;
  throw new RegattaError('NO_ANSWER', `${url}: redirected to ${JSON.stringify(location)}, which is no HTTP URL`);
}

async function hashed(
  url: string,
  { headers, body }: Dispatcher.ResponseData,
  maxBytes: number,
): Promise<{ bytes: number; sha256: string }> {
  // Leaving the loop early destroys the body, and with it the connection.
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) {
      const whole = headers['content-length'] === undefined ? '' : `, of ${headers['content-length']}`;
      throw new RegattaError('TOO_MANY_BYTES', `${url}: more than ${maxBytes} bytes (maxBytes)${whole}`);
    }
    hash.update(chunk);
  }
  return { bytes, sha256: hash.digest('hex') };
}

interface Connector {
  readonly request: (url: string, options: RequestOptions) => Promise<Dispatcher.ResponseData>;
  readonly dispatcher: Agent;
}

type RequestOptions = {
  dispatcher: Agent;
  method: 'GET' | 'HEAD';
  signal: AbortSignal;
  headers: Record<string, string>;
};

const connectors = new Map<number, Promise<Connector>>();

/** Loaded when the first page is asked for: a host that never asks for one starts without it. */
function connector(connections: number): Promise<Connector> {
  let made = connectors.get(connections);
  if (made === undefined) {
    made = makeConnector(connections);
    connectors.set(connections, made);
  }
  return made;
}

async function makeConnector(connections: number): Promise<Connector> {
  const { Agent, request } = await import('undici');
  // One request at a time on a connection, whatever the server speaks: so models differ in how they wait and in
  // nothing else. The time limits are ours, over the whole page.
  const dispatcher = new Agent({
    connections: connections === 0 ? null : connections,
    allowH2: false,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  return { request, dispatcher };
}
