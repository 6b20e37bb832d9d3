/** What one request gets: a function of the seed, its path with its query, and how often that was asked for before. */
import { mixSeed, Rng } from '@regatta/kernel';
import { drawMs } from '../latency.ts';
import type { Settings } from './settings.ts';

export interface Answer {
  readonly status: number;
  readonly waitMs: number;
  readonly bodyBytes: number;
  /** Where in the source of bodies its own begins: other requests get other bytes. */
  readonly bodyOffset: number;
  readonly retryAfterSeconds: number;
  /** Where it is sent on to; empty where it is not. */
  readonly location: string;
  readonly breaks: boolean;
}

export const BODY_SOURCE_BYTES = 65_536;

/** @param before how many requests for the same were answered already */
export function answerTo(path: string, settings: Settings, seed: number, before: number): Answer {
  const rng = new Rng(mixSeed(seed, hashOf(path)));
  const unlucky = rng.unit() < settings.errorRate;
  const waitMs = drawMs(settings.latency, rng);
  const bodyOffset = rng.uint32() % BODY_SOURCE_BYTES;
  const { bodyBytes, retryAfterSeconds, breaks } = settings;
  const plain = { waitMs, bodyBytes, bodyOffset, retryAfterSeconds: 0, location: '', breaks };
  if (unlucky || before < settings.failFirst) {
    return { ...plain, status: retryAfterSeconds > 0 ? 503 : 500, bodyBytes: 0, retryAfterSeconds, breaks: false };
  }
  if (settings.redirects > 0) {
    return { ...plain, status: 302, bodyBytes: 0, location: sentOn(path, settings.redirects - 1), breaks: false };
  }
  if (settings.status === 204 || settings.status === 304) return { ...plain, status: settings.status, bodyBytes: 0 };
  const tellsWhen = settings.status === 429 || settings.status === 503;
  return { ...plain, status: settings.status, retryAfterSeconds: tellsWhen ? retryAfterSeconds : 0 };
}

function sentOn(path: string, redirects: number): string {
  const [at, query] = cutQuery(path);
  const parameters = new URLSearchParams(query);
  parameters.set('redirects', String(redirects));
  return `${at}?${parameters}`;
}

export function cutQuery(path: string): [at: string, query: string] {
  const mark = path.indexOf('?');
  return mark === -1 ? [path, ''] : [path.slice(0, mark), path.slice(mark + 1)];
}

/** FNV-1a, 32 bits: http://www.isthe.com/chongo/tech/comp/fnv/ */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash | 0;
}

/** Bytes that look random, twice over, so that a body can begin anywhere in the first half and go on. */
export function bodySource(seed: number): Buffer {
  const rng = new Rng(seed);
  const source = Buffer.allocUnsafe(2 * BODY_SOURCE_BYTES);
  for (let i = 0; i < BODY_SOURCE_BYTES; i += 4) source.writeUInt32LE(rng.uint32(), i);
  source.copyWithin(BODY_SOURCE_BYTES, 0, BODY_SOURCE_BYTES);
  return source;
}
