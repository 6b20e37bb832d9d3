export { Broker, type BrokerOptions, type BrokerState, type Connected } from './broker.ts';
export { brokerLimitViews } from './limits.ts';
export { hasCredentials, type NatsFlags, type NatsSite, natsOptions, resolveNats } from './site.ts';
export { ensureStream, type StreamNeeds, streamDifferences } from './streams.ts';
