/**
 * A line in the log now and then about what strangers can make happen as often as they like.
 *
 * - N1: however often and by however many, a line a while is all that it costs, and the last of them all that is kept.
 */
export class NowAndThen {
  readonly #quietMs: number;
  readonly #say: (line: string) => void;
  /** Since the last line. */
  #unsaid = 0;
  #more: ((count: number) => string) | undefined;
  #quiet: NodeJS.Timeout | undefined;

  /** @param quietMs between two lines. @param say writes one */
  constructor(quietMs: number, say: (line: string) => void) {
    this.#quietMs = quietMs;
    this.#say = say;
  }

  /**
   * It has happened once more.
   * @param line said at once, where nothing was for a while
   * @param more said later otherwise, of as many as there were by then, if this is the last of them
   */
  note(line: string, more: (count: number) => string): void {
    this.#unsaid++;
    this.#more = more;
    if (this.#quiet === undefined) this.#sayNow(line);
  }

  #sayNow(line: string): void {
    this.#say(line);
    this.#unsaid = 0;
    this.#quiet = setTimeout(() => {
      this.#quiet = undefined;
      if (this.#unsaid > 0) this.#sayNow(this.#more!(this.#unsaid));
    }, this.#quietMs);
    // It must not keep a process that ends alive.
    this.#quiet.unref();
  }
}
