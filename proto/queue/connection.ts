/**
 * As much of a NATS connection as the queue needs, in the shape of nats.js: the wire format itself depends on no client
 * library. `@regatta/broker` fits.
 */

export interface Message {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly reply?: string;
  readonly headers?: { readonly code: number; readonly description: string; get(name: string): string };
}

export interface Subscription {
  /** No message comes any more but those that are on their way. */
  drain(): Promise<void>;
}

export interface Connection {
  readonly info?: { readonly max_payload: number };
  publish(subject: string, bytes?: Uint8Array, options?: { reply?: string; headers?: unknown }): void;
  subscribe(subject: string, options: { callback: (error: Error | null, message: Message) => void }): Subscription;
  isClosed(): boolean;
}

/** A connection that comes and goes. */
export interface Line {
  readonly state: { readonly kind: string };
  onState(listener: (state: { readonly kind: string }) => void): () => void;
  connected(): Promise<{ readonly nc: Connection }>;
}

/** A subject that nobody else listens on. */
export const newInbox = (): string => `_INBOX.${crypto.randomUUID().replaceAll('-', '')}`;
