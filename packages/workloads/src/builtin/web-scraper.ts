/**
 * Fetches pages and hashes them: waiting for others, with a little computing for each. Where threads stop paying, and
 * many requests on one event loop go on.
 *
 * In: URLs, from a list or a file that the client reads, or `count` of them made of `base` and a number, which is meant
 * for the local target (`regatta target`). Out of a task: status, redirects, bytes and SHA-256 of the body as it was
 * sent, and the times to its first byte and its end. Bodies are not kept. Combined: pages by status, bytes, redirects,
 * and the time to the first byte, p50, p99 and at most.
 *
 * A page that fails fails its own task alone, in one line that names its URL: a status of 400 or above, no answer in
 * time, a name that does not exist, a broken connection, more redirects or bytes than are allowed. Where a server says
 * with 429 or 503 when to come again, a retry waits for that.
 *
 * It fetches what it is told to: robots.txt is not read. Politeness is towards the host of the task's own URL; where a
 * redirect leads to another, that one is not counted.
 */
import { RegattaError } from '@regatta/kernel';
import { defineWorkload, type TaskResult } from '../define.ts';
import { TARGET_PORT } from '../target/port.ts';
import { fetchPage, type Page, type PageLimits } from './web/fetch-page.ts';
import { hostAndPort, urlCount, urlsOf } from './web/urls.ts';

export const webScraper = defineWorkload({
  name: 'web-scraper',
  kind: 'io',
  summary: 'Fetches web pages; each task gives status, bytes, SHA-256 and time to the first byte of one',
  parameters: {
    urls: { default: '', description: 'a file with one URL a line, # before comments; or URLs, commas between them' },
    base: {
      default: `http://127.0.0.1:${TARGET_PORT}/`,
      description: 'where urls is empty: what URLs are made of, by ?n=0, ?n=1, …',
    },
    count: {
      default: 200,
      description: 'where urls is empty: how many of those',
      unit: 'tasks',
      min: 1,
      max: 1_000_000,
      integer: true,
    },
    method: { default: 'GET', description: 'GET, or HEAD to leave out the bodies' },
    timeoutMs: {
      default: 30_000,
      description: 'for a page with its redirects',
      unit: 'ms',
      min: 1,
      max: 3_600_000,
    },
    redirects: {
      default: 5,
      description: 'how many are followed; one more is a failure',
      min: 0,
      max: 50,
      integer: true,
    },
    maxBytes: {
      default: 2 ** 25,
      description: 'of a body; one more is a failure',
      unit: 'bytes',
      min: 0,
      max: 2 ** 40,
      integer: true,
    },
    connections: {
      default: 0,
      description: 'at most so many from each thread to one host; 0 is as many as there are requests',
      min: 0,
      max: 65_535,
      integer: true,
    },
  },
  tasks(params) {
    if (!isMethod(params.method)) {
      throw new RegattaError(
        'BAD_PARAMETER',
        `web-scraper: method is ${JSON.stringify(params.method)}; give GET or HEAD`,
      );
    }
    return urlCount(params);
  },
  inputs: urlsOf,
  target: (_params, url: string) => hostAndPort(url),
  run({ method, timeoutMs, redirects, maxBytes, connections }, { input, signal }) {
    return fetchPage(
      input,
      { method: method as PageLimits['method'], timeoutMs, redirects, maxBytes, connections },
      signal,
    );
  },
  comparable: ({ url, status, redirects, bytes, sha256 }) => ({ url, status, redirects, bytes, sha256 }),
  combine: summaryOf,
});

const isMethod = (method: string): boolean => method === 'GET' || method === 'HEAD';

function summaryOf(results: Iterable<TaskResult<Page>>) {
  const statuses: Record<string, number> = {};
  const ttfbMs: number[] = [];
  let bytes = 0;
  let redirects = 0;
  for (const { value } of results) {
    statuses[value.status] = (statuses[value.status] ?? 0) + 1;
    ttfbMs.push(value.ttfbMs);
    bytes += value.bytes;
    redirects += value.redirects;
  }
  ttfbMs.sort((a, b) => a - b);
  const ttfb = { p50: quantile(ttfbMs, 0.5), p99: quantile(ttfbMs, 0.99), max: quantile(ttfbMs, 1) };
  return { pages: ttfbMs.length, statuses, bytes, redirects, ttfbMs: ttfb };
}

/** By nearest rank: one that was measured, to the microsecond. Null where there was nothing to measure. */
function quantile(sorted: readonly number[], part: number): number | null {
  const at = sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)];
  return at === undefined ? null : Math.round(at * 1000) / 1000;
}
