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

/** The message of anything thrown: user code may throw what is not an Error, or an Error that is not as it should be. */
export function messageOf(thrown: unknown): string {
  return always(() => {
    if (thrown instanceof Error) return String(thrown.message || thrown.name);
    return typeof thrown === 'string' ? thrown : `thrown: ${String(thrown)}`;
  }, 'thrown: something that cannot be shown');
}

/** Its stack, where it has one. */
export const stackOf = (thrown: unknown): string =>
  always(() => (thrown instanceof Error ? String(thrown.stack ?? '') : ''), '');

function always(text: () => string, otherwise: string): string {
  try {
    return text();
  } catch {
    return otherwise;
  }
}
