export { type NatsCluster, startNatsCluster } from './nats-cluster.ts';
export { freePort, type NatsOptions, type NatsServer, startNats } from './nats-server.ts';
