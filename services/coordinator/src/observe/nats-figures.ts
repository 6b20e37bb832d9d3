/**
 * What NATS says of itself: of our streams over the connection that there is, of the server over its monitoring port
 * where we are told of one. Stands in for the official exporter, where that is not at hand.
 *
 * - N1: a scrape is never held up by NATS for long: it tells what was last known, and nothing once that is too old.
 * - N2: however many scrape, NATS is asked once in a while.
 */
import type { Broker } from '@regatta/broker';
import { atMost } from '@regatta/kernel/patience';
import type { Reading } from '@regatta/observe';
import type { JetStreamManager } from 'nats';
import { STREAMS } from './label-values.ts';
import { limits } from './limits.ts';
import type { Metrics } from './metrics.ts';
import { type Monitored, monitored } from './nats-monitor.ts';
import { only } from './readings.ts';

interface StreamFigures {
  readonly stream: string;
  readonly messages: number;
  readonly bytes: number;
  readonly consumers: number;
  readonly pending: number;
  readonly ackPending: number;
  readonly redelivered: number;
}

interface Figures {
  readonly streams: readonly StreamFigures[] | undefined;
  /** Undefined where nobody asked for them. */
  readonly server: Monitored | undefined;
}

export class NatsFigures {
  readonly #metrics: Metrics;
  readonly #broker: Broker | undefined;
  readonly #monitor: string | undefined;
  #known: Figures = { streams: undefined, server: undefined };
  #looking: Promise<void> | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;

  /** @param monitor the URL of NATS's monitoring port; undefined not to ask */
  constructor(metrics: Metrics, broker: Broker | undefined, monitor: string | undefined) {
    this.#metrics = metrics;
    this.#broker = broker;
    this.#monitor = monitor;
  }

  /** Sets the gauges. @param leads only who leads tells: of two who tell, everything would be there twice */
  async read(leads: boolean): Promise<void> {
    if (!leads) return this.#tell({ streams: undefined, server: undefined }, false);
    await this.#look();
    this.#tell(this.#known, true);
  }

  /** N1, N2. */
  async #look(): Promise<void> {
    if (performance.now() - this.#lookedAt >= limits.natsLookMs) {
      this.#looking ??= this.#ask().finally(() => {
        this.#looking = undefined;
        this.#lookedAt = performance.now();
      });
    }
    if (this.#looking !== undefined) await atMost(limits.natsWaitMs, this.#looking);
  }

  async #ask(): Promise<void> {
    const [streams, server] = await Promise.all([
      this.#streams().catch(() => undefined),
      this.#monitor === undefined ? undefined : monitored(this.#monitor),
    ]);
    this.#known = { streams, server };
  }

  async #streams(): Promise<StreamFigures[] | undefined> {
    if (this.#broker?.state.kind !== 'ready') return undefined;
    const { jsm } = await this.#broker.connected();
    return Promise.all(STREAMS.map((stream) => figuresOf(jsm, stream)));
  }

  #tell({ streams, server }: Figures, asked: boolean): void {
    const metrics = this.#metrics;
    const perStream = (value: (figures: StreamFigures) => number): Reading<'stream'>[] =>
      (streams ?? []).map((figures) => [{ stream: figures.stream }, value(figures)]);
    metrics.streamMessages.read(perStream(({ messages }) => messages));
    metrics.streamBytes.read(perStream(({ bytes }) => bytes));
    metrics.consumers.read(perStream(({ consumers }) => consumers));
    metrics.consumerPending.read(perStream(({ pending }) => pending));
    metrics.consumerAckPending.read(perStream(({ ackPending }) => ackPending));
    metrics.consumerRedelivered.read(perStream(({ redelivered }) => redelivered));
    const { varz, jsz } = server ?? {};
    metrics.natsConnections.read(only(varz?.connections));
    metrics.natsMemory.read(only(varz?.mem));
    metrics.natsCpu.read(only(varz && varz.cpu / 100));
    metrics.natsSlowConsumers.read(only(varz?.slow_consumers));
    metrics.natsInBytes.read(only(varz?.in_bytes));
    metrics.natsOutBytes.read(only(varz?.out_bytes));
    metrics.jetstreamMemory.read(only(jsz?.memory));
    metrics.jetstreamStorage.read(only(jsz?.storage));
    metrics.jetstreamStorageMax.read(only(jsz?.config.max_storage));
    metrics.jetstreamErrors.read(only(jsz?.api.errors));
    const parts: Reading<'part'>[] = [];
    if (asked && this.#broker !== undefined) parts.push([{ part: 'streams' }, Number(streams !== undefined)]);
    if (asked && this.#monitor !== undefined) {
      parts.push([{ part: 'varz' }, Number(varz !== undefined)], [{ part: 'jsz' }, Number(jsz !== undefined)]);
    }
    metrics.natsScrape.read(parts);
  }
}

async function figuresOf(jsm: JetStreamManager, stream: string): Promise<StreamFigures> {
  const { state } = await jsm.streams.info(stream);
  const sums = { pending: 0, ackPending: 0, redelivered: 0 };
  let looked = 0;
  for await (const consumer of jsm.consumers.list(stream)) {
    sums.pending += consumer.num_pending;
    sums.ackPending += consumer.num_ack_pending;
    sums.redelivered += consumer.num_redelivered;
    if (++looked === limits.natsConsumersMax) break;
  }
  return { stream, messages: state.messages, bytes: state.bytes, consumers: state.consumer_count, ...sums };
}
