export { Broker, type BrokerOptions, type BrokerState, type Connected } from './broker.ts';
export { brokerLimitViews } from './limits.ts';
export { ensureStream, type StreamNeeds } from './streams.ts';
