/** Where `serve` tells its metrics, and to whom. */
import { checkListen, readToken } from '@regatta/access';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { MetricsOptions } from '../observe/observing.ts';
import { listenAddress } from './options.ts';

export interface MetricsFlags {
  readonly metrics?: string;
  readonly metricsTokenFile?: string;
  readonly natsMonitor?: string;
}

export function addMetricsOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--metrics <host:port>', 'where metrics and health are served over HTTP; port 0 for any free one')
        .env('REGATTA_METRICS')
        .argParser((text) => (text === '' ? undefined : listenAddress(text))),
    )
    .addOption(
      new Option('--metrics-token-file <file>', 'that holds a token that Prometheus must show').env(
        'REGATTA_METRICS_TOKEN_FILE',
      ),
    )
    .addOption(natsMonitorOption("NATS's monitoring port, for its own figures among the metrics"));
}

export const natsMonitorOption = (what: string): Option =>
  new Option('--nats-monitor <url>', what).env('REGATTA_NATS_MONITOR').argParser(httpUrl);

/**
 * @param insecure whether it may be open to all
 * @returns undefined where nobody asked for metrics; `warning` where they are open to all
 * @throws RegattaError INSECURE_LISTEN, BAD_SECRET, BAD_TOKEN
 */
export function metricsOf(
  flags: MetricsFlags,
  insecure: boolean,
): { readonly options: MetricsOptions; readonly warning: string | undefined } | undefined {
  // What parses to nothing Commander makes an empty text of.
  const listen = flags.metrics || undefined;
  const file = flags.metricsTokenFile || undefined;
  const token = readToken({ ...(file !== undefined && { file }), option: '--metrics-token-file', variable: '' });
  if (listen === undefined) return undefined;
  const warning = checkListen({ address: listen, hasToken: token !== undefined, insecure, what: 'metrics' });
  return { options: { listen, token, natsMonitor: flags.natsMonitor || undefined }, warning };
}

function httpUrl(text: string): string | undefined {
  if (text === '') return undefined;
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol)) return text;
  throw new InvalidArgumentError('Give http://HOST:PORT, as http://127.0.0.1:8222.');
}
