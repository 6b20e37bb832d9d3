/**
 * The connections to the gRPC server: each takes a file descriptor, and whoever reaches its port could take them all.
 *
 * - N1: who was let in for a call keeps its connection, however many strangers come.
 * - N2: of strangers there are so many; beyond that the one that has been there for longest makes room. Who has the token
 *   shows it at once, and is no stranger then.
 * - N3: a connection counts until its socket is closed, and is closed by that: one that HTTP/2 has said goodbye to lasts
 *   for as long as the other end likes.
 */
import type { Http2Server, Http2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { Server } from '@grpc/grpc-js';
import { NowAndThen } from '@regatta/access';
import { counted } from '@regatta/kernel';
import type { Logger } from 'pino';
import { limits } from './limits.ts';

/** What grpc-js keeps to itself: it tells of calls only, and who means ill makes none. */
interface Inside {
  readonly http2Servers: ReadonlyMap<Http2Server, unknown>;
}

type Bounds = Pick<typeof limits, 'strangersMax' | 'connectionsMax'>;

export class Connections {
  readonly #bounds: Bounds;
  readonly #lines: NowAndThen;
  /** Those that have been there for longest first. */
  readonly #strangers = new Set<Socket>();
  readonly #sockets = new WeakMap<Http2Session, Socket>();
  #open = 0;
  #closed = 0;

  constructor(log: Pick<Logger, 'warn'>, bounds: Bounds = limits) {
    this.#bounds = bounds;
    this.#lines = new NowAndThen(limits.strangersLogMs, (line) => log.warn(line));
  }

  get open(): number {
    return this.#open;
  }

  /** Closed to make room, since this process started. */
  get closed(): number {
    return this.#closed;
  }

  /** @param server that listens already. @param anyCall whether each call is let in, as no token is asked for */
  watch(server: Server, anyCall: boolean): void {
    for (const listener of (server as unknown as Inside).http2Servers.keys()) {
      listener.on('session', (session) => {
        if (anyCall) session.once('stream', () => this.letIn(session));
      });
      // Before HTTP/2 makes a session of it, which happens at once.
      listener.prependListener('connection', (socket: Socket) => {
        listener.once('session', (session) => this.#sockets.set(session, socket));
        this.#opened(socket);
      });
    }
  }

  /** A call of it was let in (N1). */
  letIn(session: Http2Session | undefined): void {
    const socket = session && this.#sockets.get(session);
    if (socket !== undefined) this.#strangers.delete(socket);
  }

  #opened(socket: Socket): void {
    this.#open++;
    this.#strangers.add(socket);
    socket.once('close', () => {
      this.#open--;
      this.#strangers.delete(socket);
    });
    const { strangersMax, connectionsMax } = this.#bounds;
    if (this.#strangers.size <= strangersMax && this.#open <= connectionsMax) return;
    // N2. Where there is no other stranger it is the newcomer itself.
    const [longest] = this.#strangers;
    this.#close(longest!);
  }

  #close(socket: Socket): void {
    const peer = `${socket.remoteAddress}:${socket.remotePort}`;
    const why = `there were ${this.#open}, ${this.#strangers.size} of them without a call that was let in`;
    this.#strangers.delete(socket);
    this.#closed++;
    // N3.
    socket.destroy();
    this.#lines.note(
      `closed the connection from ${peer} to make room: ${why}`,
      (count) => `closed ${counted(count, 'more connection')} to make room, the last from ${peer}: ${why}`,
    );
  }
}
