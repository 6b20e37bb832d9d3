/**
 * Thrown by a task whose failure is a matter of time: whom it talks to said when to come again. A retry, where the run
 * has any left, begins no earlier.
 */
export class RetryLater extends Error {
  override name = 'RetryLater';
  readonly code = 'RETRY_LATER';
  /** From the time that it was thrown: finite, 0 or more. What is no such number counts as 0. */
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs: number) {
    super(message);
    this.retryAfterMs = Number.isFinite(retryAfterMs) ? Math.max(0, retryAfterMs) : 0;
  }
}
