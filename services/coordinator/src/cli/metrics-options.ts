/** Where `serve` tells its metrics, and to whom. */
import { metricsOptions, resolveMetrics, type MetricsFlags as SharedFlags } from '@regatta/observe/options';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { MetricsOptions } from '../observe/observing.ts';
import { listenAddress, optionOf } from './options.ts';

export interface MetricsFlags extends SharedFlags {
  readonly natsMonitor?: string;
}

export function addMetricsOptions(command: Command): Command {
  return command
    .addOption(optionOf(metricsOptions.listen).argParser((text) => (text === '' ? undefined : listenAddress(text))))
    .addOption(optionOf(metricsOptions.tokenFile))
    .addOption(natsMonitorOption("NATS's monitoring port, for its own figures among the metrics"));
}

export const natsMonitorOption = (what: string): Option =>
  new Option('--nats-monitor <url>', what).env('REGATTA_NATS_MONITOR').argParser(httpUrl);

/** @returns, @throws as `resolveMetrics` */
export function metricsOf(
  flags: MetricsFlags,
  joinToken: string | undefined,
  insecure: boolean,
): { readonly options: MetricsOptions; readonly warning: string | undefined } | undefined {
  const metrics = resolveMetrics(flags, joinToken, insecure);
  // What parses to nothing Commander makes an empty text of.
  const natsMonitor = flags.natsMonitor || undefined;
  return metrics && { options: { ...metrics.door, natsMonitor }, warning: metrics.warning };
}

function httpUrl(text: string): string | undefined {
  if (text === '') return undefined;
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol)) return text;
  throw new InvalidArgumentError('Give http://HOST:PORT, as http://127.0.0.1:8222.');
}
