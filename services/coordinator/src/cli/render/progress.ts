/** How far long work has come: a bar on a terminal, a plain line now and then in a pipe. On stderr, always. */

import { counted } from '@regatta/kernel';
import { limits } from '../limits.ts';
import { milliseconds, rate, whole } from './format.ts';

const BAR_WIDTH = 24;

export interface Progress {
  /** @param done of `total` */
  update(done: number, total: number): void;
  /** A line that stays. */
  note(line: string): void;
  /** Ends the bar; nothing is left of it on a terminal, nor drawn by an update that comes late. */
  finish(): void;
}

/**
 * @param title what is going on, in a word or two
 * @param quietMs for which nothing is said: what is over by then needs no bar
 */
export function startProgress(title: string, quietMs = 0): Progress {
  return process.stderr.isTTY ? new Bar(title, quietMs) : new PlainLines(title);
}

class Bar implements Progress {
  readonly #title: string;
  readonly #pace = new Pace();
  #quietUntil: number;
  #drawnAt = 0;

  constructor(title: string, quietMs: number) {
    this.#title = title;
    this.#quietUntil = performance.now() + quietMs;
  }

  update(done: number, total: number): void {
    const now = performance.now();
    if (now < this.#quietUntil) return;
    if (now - this.#drawnAt < limits.progressDrawMs && done < total) return;
    this.#drawnAt = now;
    const filled = total === 0 ? 0 : Math.floor((done / total) * BAR_WIDTH);
    const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
    const text = `${this.#title} ${bar} ${whole(done)}/${whole(total)}${this.#pace.describe(done, total)}`;
    process.stderr.write(`\r\x1b[2K${text.slice(0, (process.stderr.columns || 80) - 1)}`);
  }

  note(line: string): void {
    process.stderr.write(`\r\x1b[2K${this.#title}: ${line}\n`);
  }

  finish(): void {
    this.#quietUntil = Number.POSITIVE_INFINITY;
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
    if (now - this.#saidAt < limits.progressLineMs) return;
    this.#saidAt = now;
    const share = total === 0 ? 0 : Math.floor((done / total) * 100);
    process.stderr.write(
      `${this.#title}: ${whole(done)} of ${counted(total, 'task')} (${share}%)${this.#pace.describe(done, total)}\n`,
    );
  }

  note(line: string): void {
    process.stderr.write(`${this.#title}: ${line}\n`);
  }

  finish(): void {
    this.#saidAt = Number.POSITIVE_INFINITY;
  }
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
