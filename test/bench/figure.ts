/** One line of `npm run bench`. */
export interface Figure {
  readonly name: string;
  /** What was measured, in `unit`. */
  readonly value: number;
  readonly unit: string;
  /** `value` against what it is compared with, measured in the same run; better is higher. */
  readonly ratio: number;
  readonly against: string;
  /** The least that `ratio` should be; null where there is no goal. */
  readonly goal: number | null;
  readonly ok: boolean;
}

/** A bench: says on stderr what it is doing, returns its figures. */
export type Bench = () => Promise<Figure[]>;
