/**
 * Bounds, each declared once: its value, its unit and, in plain words, what it bounds. A table of them is read in the
 * code as plain numbers, and told to people whole: a bound that is not shown cannot be declared.
 */

export interface Limit<Unit extends string = string> {
  readonly value: number;
  /** Of what there are so many: ms, bytes, runs, ... */
  readonly unit: Unit;
  readonly description: string;
}

/** A bound as it is told to people. */
export interface LimitView extends Limit {
  /** `name`, or `group.name` for one that another part of the process keeps to. */
  readonly name: string;
}

/** The unit that a name speaks of; any other is not in the name. */
type UnitIn<Name extends string> = Name extends `${string}Bytes${string}`
  ? 'bytes'
  : Name extends `${string}Characters${string}`
    ? 'characters'
    : Name extends `${string}Ms${string}`
      ? 'ms'
      : string;

/** @param description what it bounds, or what happens at it: one line of at most 200 characters */
export const limit = <Unit extends string>(value: number, unit: Unit, description: string): Limit<Unit> => ({
  value,
  unit,
  description,
});

/**
 * `limits`: the values alone, as cheap to read as a literal's. `views`: all of them, in the order of the table.
 * A unit that contradicts the name is an error of types.
 */
export function defineLimits<Name extends string>(
  table: { readonly [N in Name]: Limit<UnitIn<N>> },
): {
  readonly limits: Readonly<Record<Name, number>>;
  /** @param told values that this process was told to keep to instead */
  readonly views: (told?: Readonly<Partial<Record<Name, number>>>) => LimitView[];
} {
  const entries = Object.entries(table) as [Name, Limit][];
  // Frozen, V8 keeps it as it keeps a literal, and not as a hash table.
  const limits = Object.freeze(Object.fromEntries(entries.map(([name, { value }]) => [name, value])));
  return {
    limits: limits as Record<Name, number>,
    views: (told) => entries.map(([name, bound]) => ({ name, ...bound, value: told?.[name] ?? bound.value })),
  };
}

/** Those of one part of the process, marked as its. */
export const inGroup = (group: string, views: readonly LimitView[]): LimitView[] =>
  views.map((view) => ({ ...view, name: `${group}.${view.name}` }));

/** The part of the process and the bare name; an empty group for the process's own. */
export function groupOf(name: string): { readonly group: string; readonly bare: string } {
  const dot = name.indexOf('.');
  return { group: name.slice(0, Math.max(0, dot)), bare: name.slice(dot + 1) };
}
