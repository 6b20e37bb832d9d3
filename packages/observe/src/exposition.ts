/**
 * A registry as text, in both of Prometheus's formats. The registry itself stays in the plain one: rendered as
 * OpenMetrics by prom-client, its counters would lose the `_total` of their names for good.
 */
import { type Counter, collectDefaultMetrics, type OpenMetricsContentType, Registry } from 'prom-client';
import { limits } from './limits.ts';

/** Gauges with the suffix of counters: the same figures are told by type, under the name without it. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/** Between two looks at the event loop: each wakes it, and a process that has nothing to do is to sleep. */
const LOOP_LOOK_MS = 20;

/** With what is to be known of any Node process: CPU, memory, event loop, garbage collection. */
export function createRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LOOP_LOOK_MS });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  return registry;
}

type Format = 'text' | 'openmetrics';

export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  text: Registry.PROMETHEUS_CONTENT_TYPE,
  openmetrics: Registry.OPENMETRICS_CONTENT_TYPE,
};

/** What the client asks for, as Prometheus does. Weights are not looked at: who can read OpenMetrics prefers it. */
export const formatFor = (accept: string | undefined): Format =>
  accept?.includes('application/openmetrics-text') === true ? 'openmetrics' : 'text';

interface Rendering {
  readonly body: Promise<Buffer>;
  /** When it has to be made anew; infinite while it is being made. */
  until: number;
}

/** Renders on demand; who asks while a rendering is fresh is given the same one. */
export class Exposition {
  readonly #registry: Registry;
  readonly #collect: () => void | Promise<void>;
  readonly #renderings = new Map<Format, Rendering>();
  readonly #views: Readonly<Record<Format, () => Promise<string>>>;

  /** @param collect called before each rendering, to read what is only read then */
  constructor(registry: Registry, collect: () => void | Promise<void>) {
    this.#registry = registry;
    this.#collect = collect;
    this.#views = { text: () => registry.metrics(), openmetrics: () => this.#openMetrics() };
  }

  render(format: Format): Promise<Buffer> {
    const before = this.#renderings.get(format);
    if (before !== undefined && performance.now() < before.until) return before.body;
    const rendering: Rendering = { body: this.#renderNow(format), until: Number.POSITIVE_INFINITY };
    this.#renderings.set(format, rendering);
    const startedAt = performance.now();
    rendering.body.then(
      () => {
        const now = performance.now();
        rendering.until = now + Math.min(limits.reuseMsMax, limits.reuseFactor * (now - startedAt));
      },
      () => this.#renderings.delete(format),
    );
    return rendering.body;
  }

  async #renderNow(format: Format): Promise<Buffer> {
    await this.#collect();
    return Buffer.from(await this.#views[format]());
  }

  #openMetrics(): Promise<string> {
    const view: Registry<OpenMetricsContentType> = new Registry();
    view.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    for (const metric of this.#registry.getMetricsAsArray()) {
      view.registerMetric(viewOf(metric as unknown as Counter));
    }
    return view.metrics();
  }
}

/** Stands in for a counter, under the name that OpenMetrics has for it; others stand for themselves. */
function viewOf(metric: Counter): Counter {
  const { name, type } = metric as unknown as { readonly name: string; readonly type: string };
  if (type !== 'counter') return metric;
  const bare = name.replace(/_total$/, '');
  const get = async (): ReturnType<Counter['get']> => ({ ...(await metric.get()), name: bare });
  return { name: bare, type, get } as unknown as Counter;
}
