/** What NATS is asked to do, again and again until it has, through outages. */
import type { Broker } from '@regatta/broker';
import { messageOf, RegattaError } from '@regatta/kernel';
import type { JetStreamManager } from 'nats';

export class Persistence {
  readonly #broker: Broker;
  readonly #retryMs: number;
  readonly #onComplaint: (complaint: string) => void;
  readonly #closing = new AbortController();
  #complaint = '';

  /** @param onComplaint told once for each reason in a row */
  constructor(broker: Broker, retryMs: number, onComplaint: (complaint: string) => void) {
    this.#broker = broker;
    this.#retryMs = retryMs;
    this.#onComplaint = onComplaint;
  }

  /** Why what was tried last failed; empty where it did not. */
  get complaint(): string {
    return this.#complaint;
  }

  get closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /**
   * Must be safe to do twice: an answer may get lost.
   * @param what for the complaint
   * @throws RegattaError of its own: trying again is no use; QUEUE_CLOSED
   */
  async do<T>(what: string, ask: (jsm: JetStreamManager) => Promise<T>): Promise<T> {
    for (;;) {
      await this.#untilReady();
      try {
        const { jsm } = await this.#broker.connected();
        const result = await ask(jsm);
        this.#complaint = '';
        return result;
      } catch (thrown) {
        if (thrown instanceof RegattaError) throw thrown;
        this.#complain(`NATS could not ${what}: ${messageOf(thrown)}; trying again`);
      }
      await this.#pause();
    }
  }

  close(): void {
    this.#closing.abort();
  }

  /** An outage is told by the broker itself. */
  #complain(complaint: string): void {
    if (this.#broker.state.kind !== 'ready' || this.closed || complaint === this.#complaint) return;
    this.#complaint = complaint;
    this.#onComplaint(complaint);
  }

  async #untilReady(): Promise<void> {
    while (this.#broker.state.kind !== 'ready' && !this.closed) await this.#pause();
    if (this.closed) throw new RegattaError('QUEUE_CLOSED', 'the coordinator is ending');
  }

  /** Until the broker's state changes, or for a while. */
  #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#retryMs);
    const endListening = this.#broker.onState(() => resolve());
    const onClose = (): void => resolve();
    this.#closing.signal.addEventListener('abort', onClose);
    return promise.finally(() => {
      this.#closing.signal.removeEventListener('abort', onClose);
      clearTimeout(timer);
      endListening();
    });
  }
}
