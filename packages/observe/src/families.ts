/**
 * Metrics as they are recorded here: a counter or a histogram gives out a plain object for each set of labels, to be
 * added to from the hottest loops; prom-client sees the figures when somebody scrapes them. Its own `inc` and `observe`
 * look up their labels each time, which for each of 50,000 reports a second would be seen in the throughput.
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { type Scale, taskScale } from './scale.ts';

type Labels<L extends string> = Readonly<Record<L, string>>;

/** Nobody scrapes more often, and who reports does so many times a second. */
const EXEMPLAR_SECONDS_MIN = 1;

/** How often something happened, or how much of it there was. */
export interface Tally {
  value: number;
}

/** A counter of tallies, one for each set of labels. */
export class TallyCounter<L extends string> extends Counter<L> {
  readonly #tallies = new Map<string, Tally & { readonly labels: Labels<L> }>();

  constructor(name: string, help: string, labelNames: readonly L[], registers: Registry[]) {
    super({ name, help, labelNames, registers });
    if (labelNames.length === 0) this.of({} as Labels<L>);
  }

  /** To be kept by who adds to it often. It is exported from now on, at 0 at first. */
  of(labels: Labels<L>): Tally {
    const key = keyOf(labels);
    let tally = this.#tallies.get(key);
    if (tally === undefined) {
      tally = { value: 0, labels };
      this.#tallies.set(key, tally);
    }
    return tally;
  }

  add(labels: Labels<L>, amount = 1): void {
    this.of(labels).value += amount;
  }

  /** Sets all of them, to what somebody else counts: those that are not among these are not exported. */
  read(readings: Iterable<Reading<L>>): void {
    this.#tallies.clear();
    for (const [labels, value] of readings) this.of(labels).value = value;
  }

  override async get(): ReturnType<Counter<L>['get']> {
    return { ...(await super.get()), values: [...this.#tallies.values()] };
  }
}

/** Durations with one set of labels. */
export class Durations<L extends string = string> {
  readonly labels: Labels<L>;
  readonly counts: Float64Array;
  readonly exemplars: (Exemplar | undefined)[];
  sumUs = 0;
  readonly #scale: Scale;

  constructor(labels: Labels<L>, scale: Scale) {
    this.labels = labels;
    this.#scale = scale;
    this.counts = new Float64Array(scale.buckets);
    this.exemplars = new Array(scale.buckets);
  }

  add(ms: number): void {
    const us = ms > 0 ? 1000 * ms : 0;
    const bucket = this.#scale.bucketOf(us);
    this.counts[bucket] = this.counts[bucket]! + 1;
    this.sumUs += us;
  }

  /** Each of them, for about a nanosecond. @param sumMs of all of them */
  addAll(us: Uint32Array, sumMs: number): void {
    this.#scale.countAll(us, this.counts);
    this.sumUs += 1000 * sumMs;
  }

  /** Names the run that one of them was of. The newest stays, but for a second at least. */
  exemplify(ms: number, runId: string): void {
    const bucket = this.#scale.bucketOf(1000 * ms);
    const timestamp = Date.now() / 1000;
    if (timestamp - (this.exemplars[bucket]?.timestamp ?? 0) < EXEMPLAR_SECONDS_MIN) return;
    this.exemplars[bucket] = { labelSet: { run_id: runId }, value: ms / 1000, timestamp };
  }
}

/** As prom-client writes it. */
interface Exemplar {
  readonly labelSet: { readonly run_id: string };
  readonly value: number;
  readonly timestamp: number;
}

/** A histogram of durations, in seconds where it is exported. */
export class DurationHistogram<L extends string> extends Histogram<L> {
  readonly #durations = new Map<string, Durations<L>>();
  readonly #scale: Scale;

  constructor(name: string, help: string, labelNames: readonly L[], scale: Scale, registers: Registry[]) {
    super({ name, help, labelNames, registers, buckets: scale.boundsUs.map((us) => us / 1e6) });
    this.#scale = scale;
    if (labelNames.length === 0) this.of({} as Labels<L>);
  }

  /** As of a counter. */
  of(labels: Labels<L>): Durations<L> {
    const key = keyOf(labels);
    let durations = this.#durations.get(key);
    if (durations === undefined) {
      durations = new Durations(labels, this.#scale);
      this.#durations.set(key, durations);
    }
    return durations;
  }

  override async get(): ReturnType<Histogram<L>['get']> {
    const values = [...this.#durations.values()].flatMap((durations) => this.#linesOf(durations));
    const { name, help, type, aggregator } = this.#described;
    return { name, help, type, aggregator, values } as unknown as Awaited<ReturnType<Histogram<L>['get']>>;
  }

  /** What prom-client's registry asks for where there is such a thing; its own knows nothing of these figures. */
  getForPromString(): ReturnType<Histogram<L>['get']> {
    return this.get();
  }

  #linesOf({ labels, counts, exemplars, sumUs }: Durations<L>) {
    const { name } = this.#described;
    const bounds = [...this.#scale.boundsUs.map((us) => us / 1e6), '+Inf'];
    let count = 0;
    const buckets = bounds.map((le, i) => {
      count += counts[i]!;
      const exemplar = exemplars[i];
      return {
        metricName: `${name}_bucket`,
        labels: { le, ...labels },
        value: count,
        ...(exemplar && { exemplar }),
      };
    });
    const sum = { metricName: `${name}_sum`, labels, value: sumUs / 1e6 };
    return [...buckets, sum, { metricName: `${name}_count`, labels, value: count }];
  }

  /** What the base class keeps and its types do not tell. */
  get #described() {
    return this as unknown as Record<'name' | 'help' | 'type' | 'aggregator', string>;
  }
}

/** A value with its labels, as a gauge is given all of its values at a scrape. */
export type Reading<L extends string> = readonly [labels: Labels<L>, value: number];

/** A gauge that is set anew, whole, at each scrape: what there is no more is not exported. */
export class ReadGauge<L extends string> extends Gauge<L> {
  read(readings: Iterable<Reading<L>>): void {
    this.reset();
    // One without labels would be 0 now, and not absent.
    this.remove({});
    for (const [labels, value] of readings) this.set(labels, value);
  }
}

/** What makes metrics of one registry, each in a line of its own. */
export function familiesIn(registry: Registry) {
  const registers = [registry];
  return {
    counter: <L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): TallyCounter<L> =>
      new TallyCounter(name, help, labelNames, registers),
    gauge: <L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): ReadGauge<L> =>
      new ReadGauge({ name, help, labelNames, registers }),
    histogram: <L extends string = never>(
      name: string,
      help: string,
      labelNames: readonly L[] = [],
      scale: Scale = taskScale,
    ): DurationHistogram<L> => new DurationHistogram(name, help, labelNames, scale, registers),
  };
}

/** Labels of one metric are always written in the same order. */
const keyOf = (labels: Readonly<Record<string, string>>): string => Object.values(labels).join('\u0000');
