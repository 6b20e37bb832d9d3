/** How long things take, as a distribution: what tasks wait and what the local target makes its callers wait. */
import { RegattaError, type Rng } from '@regatta/kernel';

/** In ms. `exp` is the exponential distribution: many short, a few long, as of a server that others use too. */
export type Latency =
  | { readonly kind: 'fixed'; readonly ms: number }
  | { readonly kind: 'uniform'; readonly fromMs: number; readonly toMs: number }
  | { readonly kind: 'exp'; readonly meanMs: number };

const LATENCY_MS_MAX = 600_000;

/**
 * One draw, in ms, whole microseconds: the same from the same state of the generator on every machine. It takes one
 * number from it, whatever the distribution. An exponential one is at most 22.2 means, for 32 bits go no further.
 */
export function drawMs(latency: Latency, rng: Rng): number {
  const unit = rng.unit();
  switch (latency.kind) {
    case 'fixed':
      return latency.ms;
    case 'uniform':
      return wholeMicroseconds(latency.fromMs + unit * (latency.toMs - latency.fromMs));
    case 'exp':
      return wholeMicroseconds(-latency.meanMs * Math.log(1 - unit));
  }
}

const wholeMicroseconds = (ms: number): number => Math.round(ms * 1000) / 1000;

/**
 * @param text `fixed:50`, `uniform:10-90` or `exp:50`, in ms; `50` alone is fixed
 * @throws RegattaError BAD_LATENCY in one line
 */
export function parseLatency(text: string): Latency {
  const latency = read(text.trim());
  if (latency === undefined) {
    throw new RegattaError(
      'BAD_LATENCY',
      `latency is ${JSON.stringify(text)}; give fixed:50, uniform:10-90 or exp:50, in ms up to ${LATENCY_MS_MAX}`,
    );
  }
  return latency;
}

function read(text: string): Latency | undefined {
  const [, kind = 'fixed', first, second] = /^(?:([a-z]+):)?([\d.]+)(?:-([\d.]+))?$/.exec(text) ?? [];
  const [ms, toMs] = [millisecondsOf(first), millisecondsOf(second)];
  if (ms === undefined || (second !== undefined) !== (kind === 'uniform')) return undefined;
  if (kind === 'fixed') return { kind, ms };
  if (kind === 'exp') return { kind, meanMs: ms };
  return kind === 'uniform' && toMs !== undefined && ms <= toMs ? { kind, fromMs: ms, toMs } : undefined;
}

function millisecondsOf(text: string | undefined): number | undefined {
  const ms = Number(text);
  return ms >= 0 && ms <= LATENCY_MS_MAX ? ms : undefined;
}
