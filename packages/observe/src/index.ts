export { Registry } from 'prom-client';
export { createRegistry, Exposition } from './exposition.ts';
export { type Durations, familiesIn, type Reading, type Tally } from './families.ts';
export { type Answer, type ObserveServer, reachableAt, startObserving } from './http-server.ts';
export { innerScale, runScale } from './scale.ts';
