/**
 * A failure that the person at the keyboard can mend. `message` is one line that says what is wrong, where,
 * and what to do; it is printed without a stack.
 */
export class RegattaError<Code extends string = string> extends Error {
  override name = 'RegattaError';
  readonly code: Code;
  constructor(code: Code, message: string) {
    super(message);
    this.code = code;
  }
}

/** The message of anything thrown: user code may throw what is not an Error. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message || thrown.name;
  return typeof thrown === 'string' ? thrown : `thrown: ${String(thrown)}`;
}
