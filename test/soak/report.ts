/** What a soak has come to, for people and for scripts. */

import { table } from '../../services/coordinator/src/cli/render/table.ts';
import { quantile } from '../bench/numbers.ts';
import type { FaultKind, Journal } from './journal.ts';
import type { MemoryRow } from './leaks.ts';
import type { Holding } from './leftovers.ts';
import type { Group, Samples } from './samples.ts';
import type { KindTally, Tally } from './tally.ts';

export interface Report {
  readonly ok: boolean;
  /** Why not. */
  readonly reasons: readonly string[];
  readonly replay: string;
  readonly seed: number;
  readonly seconds: number;
  readonly kinds: Readonly<Record<string, KindTally>>;
  readonly faults: Readonly<Record<FaultKind, number>>;
  /** Failures that the soak's own kills explain. */
  readonly allowed: readonly string[];
  readonly uploadsBroken: number;
  /** From an order to cancel, or a deadline, to the end of the run, no agent being in trouble. */
  readonly cancels: { readonly count: number; readonly medianMs: number; readonly maxMs: number };
  readonly shortRuns: { readonly count: number; readonly perS: number };
  readonly memory: readonly MemoryRow[];
  readonly peakMiB: Readonly<Record<Group, number>>;
  readonly before: readonly Holding[];
  readonly after: readonly Holding[];
}

/** One line of how it goes. */
export function progressLine(startedAt: number, tally: Tally, journal: Journal, samples: Samples): string {
  const { runs, succeeded, failed, cancelled, tasks } = tally.sum();
  const faults = Object.values(journal.counts()).reduce((sum, count) => sum + count, 0);
  const { coordinator, agents, hosts } = samples.now;
  const memory = `${mib(coordinator)} coordinator, ${mib(agents)} agents, ${mib(hosts)} hosts`;
  const ended = `${runs} runs (${succeeded} succeeded, ${failed} failed, ${cancelled} cancelled), ${tasks} tasks`;
  const wrong = tally.failing ? `; WRONG: ${tally.reasons.length}` : '';
  return `soak: ${seconds((performance.now() - startedAt) / 1000)}: ${ended}, ${faults} faults; ${memory}${wrong}`;
}

export function cancelsOf(ms: readonly number[]): Report['cancels'] {
  if (ms.length === 0) return { count: 0, medianMs: 0, maxMs: 0 };
  return { count: ms.length, medianMs: quantile(ms, 0.5), maxMs: quantile(ms, 1) };
}

export function textOf(report: Report): string {
  const { ok, reasons, replay } = report;
  const verdict = ok ? 'Verdict: nothing leaks, nothing is wrong' : `Verdict: FAILED\n${lines(reasons)}`;
  return [kindsTable(report), memoryTable(report), leftTable(report), facts(report), `${verdict}\n${replay}\n`].join(
    '\n',
  );
}

const kindsTable = ({ kinds }: Report): string =>
  table(
    [
      { head: 'runs of', cell: ([kind]) => kind },
      { head: 'ended', cell: ([, tally]) => String(tally.runs), align: 'right' },
      { head: 'succeeded', cell: ([, tally]) => String(tally.succeeded), align: 'right' },
      { head: 'failed', cell: ([, tally]) => String(tally.failed), align: 'right' },
      { head: 'cancelled', cell: ([, tally]) => String(tally.cancelled), align: 'right' },
      { head: 'tasks', cell: ([, tally]) => String(tally.tasks), align: 'right' },
    ],
    Object.entries(kinds).sort(([a], [b]) => (a < b ? -1 : 1)),
  );

const memoryTable = ({ memory }: Report): string =>
  table(
    [
      { head: 'memory', cell: (row) => `${row.name}, ${row.stretch}` },
      { head: 'over', cell: (row) => seconds(row.seconds), align: 'right' },
      { head: 'level', cell: (row) => mib(row.level), align: 'right' },
      { head: 'growth', cell: (row) => mib(row.growth), align: 'right' },
      { head: 'late', cell: (row) => mib(row.lateGrowth), align: 'right' },
      { head: 'tau', cell: (row) => row.tau.toFixed(2), align: 'right' },
      { head: 'allowed', cell: (row) => mib(row.allowed), align: 'right' },
      { head: '', cell: (row) => (row.leaks ? 'LEAKS' : 'ok') },
    ],
    memory,
  );

const leftTable = ({ before, after }: Report): string =>
  table(
    [
      { head: 'left over', cell: ({ name }) => name },
      {
        head: 'in use',
        cell: ({ name, usedMiB }) => `${mib(thenOf(before, name)?.usedMiB ?? 0)} → ${mib(usedMiB)}`,
        align: 'right',
      },
      { head: 'timers', cell: ({ name, timers }) => `${thenOf(before, name)?.timers} → ${timers}`, align: 'right' },
      { head: 'handles', cell: ({ name, handles }) => `${thenOf(before, name)?.handles} → ${handles}`, align: 'right' },
      { head: 'threads', cell: ({ name, threads }) => `${thenOf(before, name)?.threads} → ${threads}`, align: 'right' },
      { head: 'hosts', cell: ({ name, hosts }) => `${thenOf(before, name)?.hosts} → ${hosts}`, align: 'right' },
    ],
    after,
  );

const thenOf = (before: readonly Holding[], name: string): Holding | undefined => before.find((b) => b.name === name);

function facts({ faults, allowed, uploadsBroken, cancels, shortRuns, peakMiB }: Report): string {
  const struck = Object.entries(faults).map(([kind, count]) => `${count} × ${kind}`);
  return lines([
    `faults: ${struck.join(', ')}; ${uploadsBroken} × upload broken off`,
    `failures that the soak's own kills explain: ${allowed.length}`,
    ...allowed,
    `cancels and deadlines: ${cancels.count}, median ${Math.round(cancels.medianMs)} ms, longest ${Math.round(cancels.maxMs)} ms`,
    `short runs in a row: ${shortRuns.count}, ${Math.round(shortRuns.perS)} a second`,
    `memory at most: coordinator ${mib(peakMiB.coordinator)}, agents ${mib(peakMiB.agents)}, hosts ${mib(peakMiB.hosts)}`,
  ]);
}

const lines = (some: readonly string[]): string => some.map((line) => `  ${line}\n`).join('');
const mib = (value: number): string => `${Math.round(value)} MiB`;
const seconds = (value: number): string => `${Math.round(value)} s`;
