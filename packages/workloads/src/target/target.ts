/**
 * A small HTTP server to aim at, so that nothing leaves the machine: as slow, as unreliable and as talkative as it is
 * told to be. A GET of `/-/stats` gives its figures as JSON and is not counted.
 *
 * - T1: the same request gets the same answer, from the same seed, in any order and after a restart; with `failFirst`
 *   it also matters how often it was asked.
 * - T2: it is cheap: of what it makes callers wait nothing is its own computing, and bodies are cut from one buffer.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { messageOf, RegattaError } from '@regatta/kernel';
import { type Answer, answerTo, BODY_SOURCE_BYTES, bodySource, cutQuery } from './answer.ts';
import { defaults, type Settings, settingsOfQuery } from './settings.ts';
import { Meter, type TargetStats } from './stats.ts';

const STATS_PATH = '/-/stats';
/** Paths whose requests are counted, for `failFirst`; the oldest is forgotten beyond. */
const PATHS_COUNTED_MAX = 100_000;
const KEEP_ALIVE_MS = 60_000;

export interface TargetOptions extends Partial<Settings> {
  /** 0, the default, takes any that is free. */
  readonly port?: number;
  /** Loopback by default. */
  readonly host?: string;
  readonly seed?: number;
}

export interface Target {
  /** `http://127.0.0.1:7480`, without a slash at its end. */
  readonly url: string;
  readonly port: number;
  stats(): TargetStats;
  /** Breaks off what is in flight. Resolves when the port is free. */
  close(): Promise<void>;
}

/** @throws RegattaError TARGET_PORT where it cannot listen there */
export async function startTarget(options: TargetOptions = {}): Promise<Target> {
  const { port = 0, host = '127.0.0.1', seed = 1, ...given } = options;
  const meter = new Meter();
  const handle = handlerOf({ ...defaults, ...given }, seed, meter);
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, noDelay: true }, handle);
  await listen(server, port, host);
  const { port: taken } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${taken}`,
    port: taken,
    stats: () => meter.read(),
    close: () => close(server),
  };
}

function listen(server: Server, port: number, host: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', (thrown) => {
    const where = `${host}:${port}`;
    reject(
      new RegattaError('TARGET_PORT', `the target cannot listen on ${where} (${messageOf(thrown)}); give another`),
    );
  });
  // Thousands of tasks may connect at once, and one refused for want of room tries again a second later. The kernel
  // cuts this to what it takes.
  server.listen({ port, host, backlog: 65_535 }, resolve);
  return promise;
}

function close(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeAllConnections();
  return promise;
}

function handlerOf(settings: Settings, seed: number, meter: Meter) {
  const source = bodySource(seed);
  const asked = new Map<string, number>();
  return (request: IncomingMessage, response: ServerResponse): void => {
    const path = request.url ?? '/';
    response.sendDate = false;
    if (path === STATS_PATH) return sendStats(response, meter.read());
    meter.begin(performance.now());
    let answer: Answer;
    try {
      const [, query] = cutQuery(path);
      const own = query === '' ? settings : settingsOfQuery(query, settings);
      answer = answerTo(path, own, seed, own.failFirst > 0 ? countOf(asked, path) : 0);
    } catch (thrown) {
      response.on('close', () => meter.end(400));
      response.writeHead(400, { 'content-type': 'text/plain' }).end(`${messageOf(thrown)}\n`);
      return;
    }
    const isHead = request.method === 'HEAD';
    const timer =
      answer.waitMs > 0 ? setTimeout(() => send(response, answer, source, isHead), answer.waitMs) : undefined;
    response.on('close', () => {
      clearTimeout(timer);
      meter.end(response.writableFinished ? answer.status : undefined);
    });
    if (timer === undefined) send(response, answer, source, isHead);
  };
}

/** How often it was asked for before; counts this one. */
function countOf(asked: Map<string, number>, path: string): number {
  const before = asked.get(path) ?? 0;
  asked.delete(path);
  asked.set(path, before + 1);
  if (asked.size > PATHS_COUNTED_MAX) asked.delete(asked.keys().next().value!);
  return before;
}

function sendStats(response: ServerResponse, stats: TargetStats): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(`${JSON.stringify(stats)}\n`);
}

function send(response: ServerResponse, answer: Answer, source: Buffer, isHead: boolean): void {
  const { status, bodyBytes, bodyOffset, retryAfterSeconds, location, breaks } = answer;
  const headers = ['content-type', 'application/octet-stream', 'content-length', String(bodyBytes)];
  if (retryAfterSeconds > 0) headers.push('retry-after', String(retryAfterSeconds));
  if (location !== '') headers.push('location', location);
  response.writeHead(status, headers);
  if (isHead) return void response.end();
  if (breaks) {
    response.write(source.subarray(bodyOffset, bodyOffset + Math.floor(Math.min(bodyBytes, BODY_SOURCE_BYTES) / 2)));
    // Not before the first half is on its way: the caller is to see an answer that began well.
    setImmediate(() => response.destroy());
    return;
  }
  const end = bodyOffset + bodyBytes;
  if (bodyBytes <= BODY_SOURCE_BYTES) return void response.end(source.subarray(bodyOffset, end));
  sendLarge(response, source.subarray(bodyOffset, bodyOffset + BODY_SOURCE_BYTES), bodyBytes);
}

/** The same piece over and over, no faster than the caller reads. */
function sendLarge(response: ServerResponse, piece: Buffer, left: number): void {
  let leftBytes = left;
  const go = (): void => {
    while (leftBytes > piece.byteLength) {
      leftBytes -= piece.byteLength;
      if (!response.write(piece)) return void response.once('drain', go);
    }
    response.end(piece.subarray(0, leftBytes));
  };
  go();
}
