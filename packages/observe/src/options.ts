/**
 * How a service is told where to tell its metrics, and to whom: options of its command line, resolved once. Apart from
 * what tells them, which is loaded only where somebody asks for metrics.
 */
import { checkListen, isBeyondLoopback, metricsTokenOf, readToken } from '@regatta/access';

export interface MetricsFlags {
  /** HOST:PORT, or nothing for none. */
  readonly metrics?: string | undefined;
  readonly metricsTokenFile?: string | undefined;
}

export interface MetricsDoor {
  /** HOST:PORT; port 0 for any free one. */
  readonly listen: string;
  /** Asked of whoever wants to know more than whether it is well; undefined for nobody. */
  readonly token: string | undefined;
}

/** The flags as options: what they are called on a command line, in the environment, and in its help. */
export const metricsOptions = {
  listen: {
    flags: '--metrics <host:port>',
    text: 'where metrics and health are served over HTTP; port 0 for any free one',
    env: 'REGATTA_METRICS',
  },
  tokenFile: {
    flags: '--metrics-token-file <file>',
    text: 'that holds a token that Prometheus must show; default: beyond loopback one that follows from --token-file',
    env: 'REGATTA_METRICS_TOKEN_FILE',
  },
} as const;

/**
 * @param joinToken of nodes and clients, from which a metrics token follows where no file gives one; what only this machine
 *   reaches asks for none then
 * @param insecure whether it may be open to all
 * @returns undefined where nobody asked for metrics; `warning` where they are open to all
 * @throws RegattaError INSECURE_LISTEN, BAD_SECRET, BAD_TOKEN; a bad token also where nobody asked for metrics
 */
export function resolveMetrics(
  { metrics: listen, metricsTokenFile: file }: MetricsFlags,
  joinToken: string | undefined,
  insecure: boolean,
): { readonly door: MetricsDoor; readonly warning: string | undefined } | undefined {
  const given = readToken({ file, option: '--metrics-token-file', variable: '' });
  if (!listen) return undefined;
  const derived = joinToken !== undefined && isBeyondLoopback(listen) ? metricsTokenOf(joinToken) : undefined;
  const token = given ?? derived;
  const warning = checkListen({ address: listen, hasToken: token !== undefined, insecure, what: 'metrics' });
  return { door: { listen, token }, warning };
}
