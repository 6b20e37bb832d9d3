/** Which cluster a command talks to: the one that is named, the one that is up, or one of its own. */
import { RegattaError } from '@regatta/kernel';
import { AGENTS_DEFAULT, findCluster, startEphemeral } from '../embedded/cluster.ts';
import { Client, type ClientOptions } from './client.ts';
import { tokenIn } from './token.ts';

export interface ClusterOptions {
  /** HOST:PORT each, of one cluster, from flag or environment. */
  readonly coordinator?: readonly string[];
  /** Of its token. One that asks for none does not mind being shown one. */
  readonly tokenFile?: string;
}

/** Calls `use` with the named cluster or the one that is up. @throws RegattaError NO_CLUSTER, BAD_SECRET, BAD_TOKEN */
export async function withCluster<T>(options: ClusterOptions, use: (client: Client) => Promise<T>): Promise<T> {
  const addresses = addressesOf(options);
  if (addresses === undefined) {
    throw new RegattaError('NO_CLUSTER', 'no cluster is up; start one with regatta up, or name one with --coordinator');
  }
  return withClient(addresses, use, { token: tokenIn(options.tokenFile) });
}

/** Likewise, but where no cluster is named or up, one is started for as long as `use` takes. */
export async function withAnyCluster<T>(options: ClusterOptions, use: (client: Client) => Promise<T>): Promise<T> {
  const addresses = addressesOf(options);
  if (addresses !== undefined) return withClient(addresses, use, { token: tokenIn(options.tokenFile) });
  process.stderr.write('No cluster is up. ');
  return withOwnCluster(use);
}

/** Starts a cluster, says so, and ends it after `use`, however that ends. */
export async function withOwnCluster<T>(use: (client: Client) => Promise<T>): Promise<T> {
  process.stderr.write(`Starting a cluster here: a coordinator and ${AGENTS_DEFAULT} node-agents ...\n`);
  const cluster = await startEphemeral(AGENTS_DEFAULT);
  try {
    return await withClient([cluster.address], use, { alone: true });
  } finally {
    await cluster.end();
  }
}

/** Of the cluster that is named, or else up. */
export function addressesOf({ coordinator }: ClusterOptions): readonly string[] | undefined {
  const up = coordinator === undefined ? findCluster() : undefined;
  return coordinator ?? (up && [up.address]);
}

async function withClient<T>(
  addresses: readonly string[],
  use: (client: Client) => Promise<T>,
  options?: ClientOptions,
): Promise<T> {
  const client = new Client(addresses, options);
  try {
    return await use(client);
  } finally {
    client.close();
  }
}
