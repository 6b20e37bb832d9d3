/**
 * A connection to NATS with JetStream that is always coming back: it may be asked for before there is a server, outlives
 * any outage, and says in one line what is wrong meanwhile. What is sent over it and what was lost is not its matter.
 *
 * - B1: it tries until it is closed, whatever is wrong: all of it can be mended elsewhere (server, credentials, JetStream).
 * - B2: `ready` is said only after JetStream itself has answered on the present connection.
 * - B3: nothing of it rejects unless somebody waits for it, and `close()` ends in bounded time.
 */
import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, RegattaError } from '@regatta/kernel';
import { atMost } from '@regatta/kernel/patience';
import {
  type Authenticator,
  connect,
  credsAuthenticator,
  type JetStreamClient,
  type JetStreamManager,
  type NatsConnection,
} from 'nats';
import { type Addresses, addressesOf } from './address.ts';
import {
  dialComplaint,
  type Identity,
  isRefusal,
  jetStreamComplaint,
  lostComplaint,
  refusalComplaint,
} from './complaint.ts';
import { limits } from './limits.ts';

export interface BrokerOptions {
  /** `host:port` or `nats://user:password@host:port`, any of one cluster. */
  readonly servers: readonly string[];
  /** What the server's operator sees. */
  readonly name: string;
  /** These go before what a URL says. */
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  /** A `.creds` file; read anew for each connection, so that it may be replaced. */
  readonly credentialsFile?: string;
}

/** `waiting`: no server answers, or none with JetStream, or it refuses us; the complaint says which. */
export type BrokerState =
  | { readonly kind: 'ready' }
  | { readonly kind: 'waiting'; readonly complaint: string }
  | { readonly kind: 'closed' };

export interface Connected {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
}

export class Broker {
  readonly #addresses: Addresses;
  readonly #options: BrokerOptions;
  readonly #identity: Identity;
  readonly #events = new EventEmitter();
  readonly #closing = new AbortController();
  readonly #connected = Promise.withResolvers<Connected>();
  #state: BrokerState = { kind: 'waiting', complaint: 'not connected to NATS yet' };
  #nc: NatsConnection | undefined;
  /** Counts connections lost and found: who waits for JetStream on an old one stops. */
  #round = 0;

  /** Begins to connect, and goes on trying until closed. @throws RegattaError BAD_NATS_ADDRESS */
  constructor(options: BrokerOptions) {
    this.#addresses = addressesOf(options.servers);
    this.#options = options;
    this.#identity = identityOf(options, this.#addresses);
    // Any number of runs may listen.
    this.#events.setMaxListeners(0);
    // B3: a broker closed before anybody asked for it is no failure.
    this.#connected.promise.catch(() => {});
    void this.#start();
  }

  /** As it was told, without credentials: fit to be shown, and to be told to others. */
  get servers(): readonly string[] {
    return this.#addresses.servers;
  }

  get state(): BrokerState {
    return this.#state;
  }

  /** Called at each change of state. @returns what ends that */
  onState(listener: (state: BrokerState) => void): () => void {
    this.#events.on('state', listener);
    return () => void this.#events.off('state', listener);
  }

  /**
   * Resolves when there is a connection with JetStream for the first time; after an outage the same one goes on.
   * @throws RegattaError BROKER_CLOSED where that never came to be
   */
  connected(): Promise<Connected> {
    return this.#connected.promise;
  }

  /** Sends what waits to be sent, as far as that is possible within a moment, then ends the connection. */
  async close(): Promise<void> {
    if (this.#state.kind === 'closed') return;
    const reached = this.#state.kind === 'ready';
    this.#become({ kind: 'closed' });
    this.#closing.abort();
    this.#connected.reject(
      new RegattaError('BROKER_CLOSED', 'the connection to NATS was given up before there was one'),
    );
    const nc = this.#nc;
    if (nc === undefined || nc.isClosed()) return;
    // While nobody is there to read, nothing can be sent.
    const drained = reached ? nc.drain().catch(() => {}) : Promise.resolve();
    await atMost(limits.closeMsMax, drained);
    await nc.close();
  }

  async #start(): Promise<void> {
    const nc = await this.#dial();
    if (nc === undefined) return;
    this.#nc = nc;
    void this.#follow(nc);
    void nc.closed().then((error) => this.#ended(error));
    await this.#awaitJetStream(nc);
  }

  /** B1. @returns nothing where we were closed meanwhile */
  async #dial(): Promise<NatsConnection | undefined> {
    for (let waitMs: number = limits.retryMsMin; ; waitMs = Math.min(2 * waitMs, limits.retryMsMax)) {
      try {
        const nc = await connect(this.#natsOptions());
        if (!this.#closing.signal.aborted) return nc;
        await nc.close();
        return undefined;
      } catch (error) {
        this.#become({ kind: 'waiting', complaint: dialComplaint(error, this.#where(), this.#identity) });
      }
      if (!(await this.#pause(waitMs))) return undefined;
    }
  }

  /** B2. */
  async #awaitJetStream(nc: NatsConnection): Promise<void> {
    const round = ++this.#round;
    for (let waitMs: number = limits.retryMsMin; ; waitMs = Math.min(2 * waitMs, limits.retryMsMax)) {
      try {
        const jsm = await nc.jetstreamManager({ timeout: limits.requestMs });
        if (round !== this.#round) return;
        this.#become({ kind: 'ready' });
        return this.#connected.resolve({ nc, js: nc.jetstream({ timeout: limits.requestMs }), jsm });
      } catch (error) {
        if (round !== this.#round) return;
        this.#become({ kind: 'waiting', complaint: jetStreamComplaint(error, nc.getServer()) });
      }
      if (!(await this.#pause(waitMs)) || round !== this.#round) return;
    }
  }

  async #follow(nc: NatsConnection): Promise<void> {
    for await (const { type, data } of nc.status()) {
      switch (type) {
        case 'disconnect':
          this.#round++;
          this.#become({ kind: 'waiting', complaint: lostComplaint(String(data)) });
          break;
        case 'reconnect':
          void this.#awaitJetStream(nc);
          break;
        case 'error':
          if (!isRefusal(data)) break;
          this.#round++;
          this.#become({ kind: 'waiting', complaint: refusalComplaint(nc.getServer(), this.#identity) });
      }
    }
  }

  /** nats.js gives up for good only where it cannot know what to do; B1 leaves it nothing of the kind that we know of. */
  #ended(error: unknown): void {
    const why = messageOf(error ?? 'no reason given').split('\n')[0];
    this.#become({
      kind: 'waiting',
      complaint: `the connection to NATS ended for good (${why}): restart this process`,
    });
  }

  #natsOptions(): Parameters<typeof connect>[0] {
    return {
      servers: [...this.#addresses.servers],
      name: this.#options.name,
      authenticator: this.#authenticator(),
      timeout: limits.dialMs,
      maxReconnectAttempts: -1,
      // Wrong credentials may be mended.
      ignoreAuthErrorAbort: true,
      reconnectTimeWait: limits.reconnectMs,
      reconnectJitter: limits.reconnectJitterMs,
      reconnectJitterTLS: limits.reconnectJitterMs,
      pingInterval: limits.pingMs,
      maxPingOut: limits.pingsOutMax,
      // A stack trace for each request costs more than the request.
      noAsyncTraces: true,
    };
  }

  /** Must not throw: nats.js would end the connection for good. */
  #authenticator(): Authenticator {
    const { user, password, token, credentialsFile } = { ...this.#addresses, ...this.#options };
    return (nonce) => {
      if (credentialsFile !== undefined) {
        try {
          return credsAuthenticator(readFileSync(credentialsFile))(nonce);
        } catch {
          return undefined;
        }
      }
      if (token !== undefined) return { auth_token: token };
      return user === undefined ? undefined : { user, pass: password ?? '' };
    };
  }

  /** @returns whether there is still a reason to go on */
  async #pause(waitMs: number): Promise<boolean> {
    await delay(waitMs, undefined, { signal: this.#closing.signal }).catch(() => {});
    return !this.#closing.signal.aborted;
  }

  #where(): string {
    return this.#addresses.servers.join(', ');
  }

  #become(state: BrokerState): void {
    const before = this.#state;
    if (before.kind === 'closed') return;
    if (state.kind === before.kind && (state.kind !== 'waiting' || sameComplaint(before, state))) return;
    this.#state = state;
    this.#events.emit('state', state);
  }
}

const sameComplaint = (a: BrokerState, b: BrokerState): boolean =>
  a.kind === 'waiting' && b.kind === 'waiting' && a.complaint === b.complaint;

function identityOf(options: BrokerOptions, addresses: Addresses): Identity {
  const { user, token, credentialsFile } = { ...addresses, ...options };
  if (credentialsFile !== undefined) return { kind: 'file', name: credentialsFile };
  if (token !== undefined) return { kind: 'token', name: '' };
  return user === undefined ? { kind: 'nobody' } : { kind: 'user', name: user };
}
