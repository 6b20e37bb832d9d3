/**
 * The small HTTP server beside a service: metrics, health, and what the service adds. Answers whoever asks in bounded
 * time and memory, so that no scraper, however slow or many, takes anything from the service.
 *
 * - H1: what tells something of the work asks for the token where there is one; health does not, and tells nothing.
 * - H2: a client has a few seconds to ask and to take its answer; connections are counted.
 * - H3: nobody keeps others out by connections alone: each ends after so many requests or so long, and where there are too
 *   many, the one that has asked for nothing for longest makes room.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { hostname } from 'node:os';
import { judge } from '@regatta/access';
import { messageOf, RegattaError } from '@regatta/kernel';
import { CONTENT_TYPES, type Exposition, formatFor } from './exposition.ts';
import { limits } from './limits.ts';

// An import statement would read every name that the module has, and so load the client of the web too: 14 MB.
const { createServer } = process.getBuiltinModule('node:http');

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string | Buffer;
}

export interface ObserveOptions {
  /** HOST:PORT; port 0 for any free one. */
  readonly listen: string;
  /** Asked for by what is not open; undefined for none. */
  readonly token: string | undefined;
  /** Told of each request with a wrong token, or none. */
  readonly onRefused?: (reason: 'missing' | 'wrong', peer: string) => void;
  readonly exposition: Exposition;
  /** Why the service is of no use just now, in one line without secrets; undefined where it is. */
  readonly complaint: () => string | undefined;
  /** Besides /metrics, /healthz and /readyz: by path, what is told to who has the token. */
  readonly routes?: Readonly<Record<string, () => Answer>>;
}

export interface ObserveServer {
  /** HOST:PORT where it listens. */
  readonly address: string;
  /** At once; answers under way are cut off. */
  close(): void;
}

/** @throws RegattaError CANNOT_LISTEN in one line */
export async function startObserving(options: ObserveOptions): Promise<ObserveServer> {
  const handler = new Handler(options);
  const server = createServer({
    headersTimeout: limits.headersMsMax,
    requestTimeout: limits.answerMsMax,
    keepAliveTimeout: limits.idleMsMax,
    maxHeaderSize: limits.headerBytesMax,
    connectionsCheckingInterval: limits.headersMsMax / 5,
  });
  server.timeout = limits.answerMsMax;
  const connections = new Connections();
  server.on('connection', (socket) => connections.opened(socket));
  server.on('request', (request, response) => {
    connections.asked(request.socket, response);
    void handler.answer(request, response);
  });
  const port = await listen(server, options.listen);
  return {
    address: `${options.listen.slice(0, options.listen.lastIndexOf(':'))}:${port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** All of this machine's addresses are none that another one could dial. @param address HOST:PORT where it listens */
export const reachableAt = (address: string): string =>
  address.replace(/^(0\.0\.0\.0|\[?::\]?|\*)(?=:\d+$)/, hostname());

/** H3. */
class Connections {
  readonly #open = new Map<Socket, { readonly at: number; requests: number }>();
  /** Those that ask for nothing just now, the one that has not for longest first. */
  readonly #idle = new Set<Socket>();

  opened(socket: Socket): void {
    if (this.#open.size >= limits.connectionsMax) {
      const [idlest] = this.#idle;
      if (idlest === undefined) return void socket.destroy();
      this.#drop(idlest);
      idlest.destroy();
    }
    this.#open.set(socket, { at: performance.now(), requests: 0 });
    this.#idle.add(socket);
    socket.once('close', () => this.#drop(socket));
  }

  asked(socket: Socket, response: ServerResponse): void {
    const one = this.#open.get(socket);
    // It has just made room.
    if (one === undefined) return;
    this.#idle.delete(socket);
    one.requests++;
    const old = one.requests >= limits.requestsPerConnectionMax || performance.now() - one.at > limits.connectionMsMax;
    // By Node's own maxRequestsPerSocket it would say so as well, but close no sooner than one that is idle.
    if (old) response.setHeader('connection', 'close');
    response.once('close', () => {
      if (this.#open.has(socket)) this.#idle.add(socket);
    });
  }

  #drop(socket: Socket): void {
    this.#open.delete(socket);
    this.#idle.delete(socket);
  }
}

const OPEN: ReadonlySet<string> = new Set(['/healthz', '/readyz']);

class Handler {
  readonly #options: ObserveOptions;
  readonly #routes: ReadonlyMap<string, (accept: string | undefined) => Answer | Promise<Answer>>;

  constructor(options: ObserveOptions) {
    this.#options = options;
    this.#routes = new Map<string, (accept: string | undefined) => Answer | Promise<Answer>>([
      ['/metrics', (accept) => this.#metrics(accept)],
      ...Object.entries(options.routes ?? {}),
      ['/healthz', () => plain(200, 'ok')],
      ['/readyz', () => this.#ready()],
    ]);
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // H2: one that reads a byte now and then would be served for ever.
    const late = setTimeout(() => response.destroy(), limits.answerMsMax).unref();
    response.once('close', () => clearTimeout(late));
    response.on('error', () => {});
    try {
      send(response, await this.#answerTo(request, response));
    } catch (thrown) {
      send(response, plain(500, messageOf(thrown)));
    }
  }

  #answerTo(request: IncomingMessage, response: ServerResponse): Answer | Promise<Answer> {
    const path = request.url?.split('?', 1)[0] ?? '';
    const route = this.#routes.get(path);
    if (route === undefined) return plain(404, `there are: ${[...this.#routes.keys()].join(' ')}`);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return plain(405, 'GET and HEAD only');
    }
    const { token, onRefused } = this.#options;
    const verdict = token === undefined || OPEN.has(path) ? 'accepted' : judge(request.headers.authorization, token);
    if (verdict === 'accepted') return route(request.headers.accept);
    onRefused?.(verdict, request.socket.remoteAddress ?? '');
    response.setHeader('www-authenticate', 'Bearer');
    return plain(401, `the metrics token is ${verdict}: send it as Authorization: Bearer TOKEN`);
  }

  async #metrics(accept: string | undefined): Promise<Answer> {
    const format = formatFor(accept);
    return { status: 200, type: CONTENT_TYPES[format], body: await this.#options.exposition.render(format) };
  }

  #ready(): Answer {
    const complaint = this.#options.complaint();
    return complaint === undefined ? plain(200, 'ready') : plain(503, complaint);
  }
}

const plain = (status: number, line: string): Answer => ({
  status,
  type: 'text/plain; charset=utf-8',
  body: `${line}\n`,
});

/** To HEAD Node sends no body. */
function send(response: ServerResponse, { status, type, body }: Answer): void {
  if (response.destroyed) return;
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function listen(server: Server, address: string): Promise<number> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const inUse = error.code === 'EADDRINUSE';
      const why = inUse ? 'the port is in use; end what holds it or give another --metrics' : error.message;
      reject(new RegattaError('CANNOT_LISTEN', `cannot serve metrics on ${address}: ${why}`));
    });
    server.listen(Number(address.slice(colon + 1)), host === '*' ? undefined : host, () =>
      resolve((server.address() as AddressInfo).port),
    );
  });
}
