export { checkListen, checkNats, type Door } from './exposure.ts';
export { accessLimitViews } from './limits.ts';
export { isBeyondLoopback } from './loopback.ts';
export { metricsTokenOf } from './metrics-token.ts';
export { NowAndThen } from './now-and-then.ts';
export { readSecret } from './secret.ts';
export {
  isInsecure,
  joinToken,
  judge,
  readToken,
  sameToken,
  TokenReader,
  type TokenSource,
  takeSecret,
  type Verdict,
} from './token.ts';
