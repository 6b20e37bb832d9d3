/** How far long work has come: a bar on a terminal, a plain line now and then in a pipe. On stderr, always. */
import { milliseconds, plural, rate, whole } from './format.ts';

const BAR_WIDTH = 24;
const DRAW_MS = 80;
const PLAIN_LINE_MS = 2_000;

export interface Progress {
  /** @param done of `total` */
  update(done: number, total: number): void;
  /** Ends the bar; nothing is left of it on a terminal. */
  finish(): void;
}

/** @param title what is going on, in a word or two */
export function startProgress(title: string): Progress {
  return process.stderr.isTTY ? new Bar(title) : new PlainLines(title);
}

class Bar implements Progress {
  readonly #title: string;
  readonly #pace = new Pace();
  #drawnAt = 0;

  constructor(title: string) {
    this.#title = title;
  }

  update(done: number, total: number): void {
    const now = performance.now();
    if (now - this.#drawnAt < DRAW_MS && done < total) return;
    this.#drawnAt = now;
    const filled = total === 0 ? 0 : Math.floor((done / total) * BAR_WIDTH);
    const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
    const text = `${this.#title} ${bar} ${whole(done)}/${whole(total)}${this.#pace.describe(done, total)}`;
    process.stderr.write(`\r\x1b[2K${text.slice(0, (process.stderr.columns || 80) - 1)}`);
  }

  finish(): void {
    process.stderr.write('\r\x1b[2K');
  }
}

class PlainLines implements Progress {
  readonly #title: string;
  readonly #pace = new Pace();
  #saidAt = performance.now();

  constructor(title: string) {
    this.#title = title;
  }

  update(done: number, total: number): void {
    const now = performance.now();
    if (now - this.#saidAt < PLAIN_LINE_MS) return;
    this.#saidAt = now;
    const share = total === 0 ? 0 : Math.floor((done / total) * 100);
    process.stderr.write(
      `${this.#title}: ${whole(done)} of ${plural(total, 'task')} (${share}%)${this.#pace.describe(done, total)}\n`,
    );
  }

  finish(): void {}
}

/** Rate since the start, and what it makes of the rest. */
class Pace {
  readonly #startedAt = performance.now();

  describe(done: number, total: number): string {
    const elapsedMs = performance.now() - this.#startedAt;
    if (done === 0 || elapsedMs < 1) return '';
    const perMs = done / elapsedMs;
    const left = done < total ? `, ${milliseconds((total - done) / perMs)} left` : '';
    return `, ${rate(perMs * 1000)}${left}`;
  }
}
