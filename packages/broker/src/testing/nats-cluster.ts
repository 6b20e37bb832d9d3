/** Several real nats-servers that are one NATS, for tests. */
import { freePort, type NatsOptions, type NatsServer, startNats } from './nats-server.ts';

export interface NatsCluster {
  readonly servers: readonly NatsServer[];
  /** All of them, as `--nats` takes them. */
  readonly urls: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** @returns once each accepts connections; that JetStream has found its leader takes a moment longer */
export async function startNatsCluster(size: number, options: NatsOptions = {}): Promise<NatsCluster> {
  const ports = await Promise.all(Array.from({ length: size }, freePort));
  const routes = ports.map((port) => `"nats://127.0.0.1:${port}"`).join(', ');
  const cluster = (port: number): string =>
    `cluster { name: "regatta", listen: "127.0.0.1:${port}", routes: [${routes}], no_advertise: true }`;
  const servers = await Promise.all(ports.map((port) => startNats({ ...options, config: cluster(port) })));
  return {
    servers,
    urls: servers.map(({ url }) => url).join(','),
    async [Symbol.asyncDispose]() {
      await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
    },
  };
}
