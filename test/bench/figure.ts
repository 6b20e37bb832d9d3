/** One line of `npm run bench`: what was measured, and how it stands against something else in the same run. */
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

/**
 * A value beside its reference. Where the goal is an absolute one, `Figure.goal` is the ratio that the goal would make
 * against this run's reference: so `ratio >= goal` says exactly that the value keeps its goal, while `ratio` itself
 * hardly depends on the machine.
 */
interface Comparison {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Measured in the same run; `against` says what it is, and in which unit if not the value's own. */
  readonly reference: number;
  readonly against: string;
  /** In the value's unit: the least of a rate, the most of a cost. */
  readonly goalValue?: number;
}

/** Of a rate: more is better. */
export const rateFigure = (comparison: Comparison): Figure => compare(comparison, (value, other) => value / other);

/** Of a time or a size: less is better. */
export const costFigure = (comparison: Comparison): Figure => compare(comparison, (value, other) => other / value);

function compare(comparison: Comparison, ratioOf: (value: number, reference: number) => number): Figure {
  const { name, value, unit, reference, against, goalValue } = comparison;
  const ratio = ratioOf(value, reference);
  const goal = goalValue === undefined ? null : ratioOf(goalValue, reference);
  return { name, value, unit, ratio, against, goal, ok: goal === null || ratio >= goal };
}
