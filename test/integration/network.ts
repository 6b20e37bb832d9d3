/** A network between two processes that can fail: it breaks connections, or keeps them and delivers nothing. A TCP proxy. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

export class Network {
  readonly #server: Server;
  readonly #target: string;
  readonly #sockets = new Set<Socket>();
  #silent = false;
  #last: string | undefined;

  private constructor(target: string) {
    this.#target = target;
    this.#server = createServer((socket) => this.#join(socket));
  }

  /** @param target HOST:PORT */
  static async start(target: string): Promise<Network> {
    const network = new Network(target);
    network.#server.listen(0, '127.0.0.1');
    await once(network.#server, 'listening');
    return network;
  }

  get address(): string {
    const { port } = this.#server.address() as { port: number };
    return `127.0.0.1:${port}`;
  }

  /** Breaks every connection, so that both sides are told. New ones are let through. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Delivers nothing any more, in either direction, and breaks nothing: neither side is told. */
  fallSilent(): void {
    this.#silent = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** Delivers up to what holds this text, and nothing after that. */
  fallSilentAfter(text: string): void {
    this.#last = text;
  }

  /** Whether it delivers nothing. */
  get isSilent(): boolean {
    return this.#silent;
  }

  /** Delivers what was held back, and all that follows. */
  speak(): void {
    this.#silent = false;
    for (const socket of this.#sockets) socket.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(near: Socket): void {
    const [host, port] = this.#target.split(':');
    const far = connect(Number(port), host);
    this.#carry(near, far);
    this.#carry(far, near);
  }

  #carry(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on('data', (bytes) => {
      to.write(bytes);
      if (this.#last !== undefined && bytes.includes(this.#last)) this.fallSilent();
    });
    // A reset is what cutting is about.
    from.on('error', () => {});
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
    if (this.#silent) from.pause();
  }
}
