/** What a check has found: a line for people, and for scripts the same in parts. */

/** `skipped`: it could not be looked at from here, which says nothing of how it is. */
export type Level = 'ok' | 'skipped' | 'warning' | 'wrong';
export type Group = 'coordinator' | 'nodes' | 'ports' | 'NATS' | 'Prometheus' | 'Grafana';

export interface Finding {
  readonly group: Group;
  /** What was looked at, in a few words. */
  readonly name: string;
  readonly level: Level;
  /** One line. */
  readonly what: string;
  /** What to do, in one line; null where nothing is to be done. */
  readonly mend: string | null;
}

/** The ways in which a check may end. */
export interface About {
  ok(what: string): Finding;
  skipped(what: string): Finding;
  warning(what: string, mend: string): Finding;
  wrong(what: string, mend: string): Finding;
}

export const about = (group: Group, name: string): About => ({
  ok: (what) => ({ group, name, level: 'ok', what: oneLine(what), mend: null }),
  skipped: (what) => ({ group, name, level: 'skipped', what: oneLine(what), mend: null }),
  warning: (what, mend) => ({ group, name, level: 'warning', what: oneLine(what), mend }),
  wrong: (what, mend) => ({ group, name, level: 'wrong', what: oneLine(what), mend }),
});

/** What others have said is part of it, and must not move a terminal's cursor. */
const oneLine = (text: string): string =>
  text
    .trim()
    .replaceAll(/\s*\n\s*/g, '; ')
    .replaceAll(/\p{Cc}/gu, ' ');

/** @param max names that are told before they are only counted */
export const listed = (names: readonly string[], max: number): string =>
  names.length <= max ? names.join(', ') : `${names.slice(0, max).join(', ')} and ${names.length - max} more`;
