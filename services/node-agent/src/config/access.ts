/** Who the agent is to others, and what of it is open to other hosts. */
import { checkNats, isInsecure, joinToken, TokenReader, takeSecret } from '@regatta/access';
import { hasCredentials, resolveNats } from '@regatta/broker';
import { resolveMetrics } from '@regatta/observe/options';
import type { Config } from './config.ts';
import type { Flags } from './options.ts';

/**
 * Takes REGATTA_TOKEN out of the environment.
 * @throws RegattaError BAD_SECRET, BAD_TOKEN, BAD_NATS, INSECURE_NATS, INSECURE_LISTEN
 */
export function accessOf(flags: Flags): Pick<Config, 'token' | 'nats' | 'metrics' | 'insecure' | 'warnings'> {
  const insecure = isInsecure(flags.insecure);
  const token = new TokenReader(joinToken(flags.tokenFile, takeSecret('REGATTA_TOKEN')));
  const nats = resolveNats(flags, true);
  const servers = nats?.servers ?? [];
  const warning = checkNats({ servers, hasCredentials: nats !== undefined && hasCredentials(nats), insecure });
  const metrics = resolveMetrics(flags, token.read(), insecure);
  return {
    token,
    nats,
    metrics: metrics && { ...metrics.door, advertise: flags.advertiseMetrics || undefined },
    insecure,
    warnings: [warning, metrics?.warning].filter((line) => line !== undefined),
  };
}
