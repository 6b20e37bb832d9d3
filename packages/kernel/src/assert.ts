/** A bug in Regatta itself: a state that the design rules out. Never thrown for bad input or a failing task. */
export class InvariantError extends Error {
  override name = 'InvariantError';
}

/** Stays on in production: a wrong answer is worse than a stopped run. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** Ends an exhaustive switch; the compiler refuses it while a case is missing. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${JSON.stringify(value)}`);
}
