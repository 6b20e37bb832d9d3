/**
 * The versions of the node link that this tree speaks. Both sides say theirs; the highest that both speak is used.
 * Raise MAX when the link changes in a way that an older peer would misread; raise MIN when support for one ends.
 */
export const protocol = { min: 1, max: 1 } as const;

/** The highest version that both sides speak; undefined where there is none. */
export function negotiate(theirs: { readonly min: number; readonly max: number }): number | undefined {
  const version = Math.min(protocol.max, theirs.max);
  return version >= Math.max(protocol.min, theirs.min) ? version : undefined;
}
