/** What chaos has come to, for people and for scripts. */
import type { RunView } from '../../services/coordinator/src/cli/views.ts';
import type { Fall } from './world.ts';

export interface Report {
  readonly ok: boolean;
  /** Why not. */
  readonly wrong: readonly string[];
  readonly replay: string;
  readonly seed: number;
  readonly seconds: number;
  readonly runs: number;
  readonly states: Readonly<Record<string, number>>;
  readonly tasks: number;
  /** Chunks that were given to a second node; and how often that one was first. */
  readonly copies: { readonly made: number; readonly won: number };
  /** By what befell whom. */
  readonly faults: Readonly<Record<string, number>>;
  /** How often a coordinator began to lead, and how often one that led found, alive, that it does no more. */
  readonly terms: { readonly begun: number; readonly lost: number };
  /** Submissions that nobody knows the outcome of. */
  readonly uncertain: number;
  /** Failures that the faults explain. */
  readonly allowed: readonly string[];
  /** From the last fault's end until all runs had ended. */
  readonly settledMs: number;
  /** Of all processes; kept where something is wrong. */
  readonly logs: string | undefined;
}

export function textOf({ ok, wrong, replay, seconds, runs, states, tasks, faults, ...rest }: Report): string {
  const lines = [
    `${runs} runs in ${Math.round(seconds)} s (${said(states)}), ${tasks} tasks`,
    `faults: ${said(faults) || 'none'}`,
    `coordinators began to lead ${rest.terms.begun} times; ${rest.terms.lost} times one found that it leads no more`,
    `all ended ${(rest.settledMs / 1000).toFixed(1)} s after the last fault was over; submissions without an answer: ${rest.uncertain}`,
    `chunks given to a second node: ${rest.copies.made}, which was first ${rest.copies.won} times`,
    ...(rest.allowed.length > 0 ? ['failures that the faults explain:', ...rest.allowed] : []),
    ok ? 'Verdict: every run ended as it had to' : `Verdict: FAILED\n${wrong.map((line) => `  ${line}`).join('\n')}`,
    ...(rest.logs === undefined ? [] : [`logs: ${rest.logs}`]),
    `replay: ${replay}`,
  ];
  return `${lines.join('\n')}\n`;
}

export const statesOf = (runs: readonly RunView[]): Record<string, number> => counted(runs.map(({ state }) => state));

export function copiesOf(runs: readonly RunView[]): Report['copies'] {
  const sum = (of: (accounting: RunView['accounting']) => number) => runs.reduce((n, run) => n + of(run.accounting), 0);
  return { made: sum(({ copies }) => copies), won: sum(({ copiesWon }) => copiesWon) };
}

export const faultsOf = (falls: readonly Fall[]): Record<string, number> =>
  counted(falls.map(({ name, way }) => `${way} ${name}`));

function counted(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of [...names].sort()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

const said = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');
