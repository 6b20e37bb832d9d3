/** A race as people read it: a table, what each invalid row lacks, and the verdict. */

import { counted } from '@regatta/kernel';
import type { Shape } from '@regatta/scheduler';
import type { EntryResult } from '../../advisor/measure.ts';
import type { RaceResult } from '../../advisor/race.ts';
import { nameOf, resultsDiffer } from '../../advisor/verdict.ts';
import { bytes, milliseconds, times, whole } from './format.ts';
import { type Column, table } from './table.ts';

const columns: readonly Column<EntryResult>[] = [
  { head: 'model', cell: (e) => e.model },
  { head: 'nodes', cell: (e) => String(e.nodes), align: 'right' },
  { head: 'p×t×c', cell: ({ shape }) => lanesOf(shape) },
  { head: 'wall', cell: (e) => milliseconds(e.wallMs.median), align: 'right' },
  { head: 'min–max', cell: (e) => `${whole(e.wallMs.min)}–${whole(e.wallMs.max)}`, align: 'right' },
  { head: 'speedup', cell: (e) => times(e.speedup), align: 'right' },
  { head: 'efficiency', cell: (e) => e.efficiency.toFixed(2), align: 'right' },
  { head: 'CPU', cell: (e) => milliseconds(e.cpuMs), align: 'right' },
  { head: 'dispatch', cell: (e) => milliseconds(e.overheadMs.dispatch), align: 'right' },
  { head: 'memory', cell: (e) => bytes(e.peakRssBytes), align: 'right' },
  { head: 'stall', cell: (e) => milliseconds(e.callerStallMs), align: 'right' },
  { head: 'valid', cell: (e) => (e.valid ? 'yes' : 'NO') },
];

export function raceText(result: RaceResult): string {
  const { workload, tasks, cluster, entries, leftOut, verdict } = result;
  const runs = entries[0]!.wallMs.runs;
  const cores = `${cluster.cores.join(' + ')} ${cluster.cores.join() === '1' ? 'core' : 'cores'}`;
  const way = entries[0]!.transport === 'nats' ? ', over NATS' : '';
  const head = `${workload}, ${counted(tasks, 'task')}, median of ${counted(runs, 'run')}${way}; ${counted(cluster.nodes, 'node')} with ${cores}\n\n`;
  const notes = entries.flatMap((entry) =>
    entry.valid ? [] : [`  ${nameOf(entry, entries)}: ${entry.notes.join('; ')}\n`],
  );
  const faults = notes.length === 0 ? '' : `\nNot valid:\n${notes.join('')}`;
  return `${head}${table(columns, entries)}${leftOutText(leftOut)}${faults}\n${verdictText(result, verdict)}\n`;
}

/** What was not worth the wait, and what it would have come to. */
function leftOutText(leftOut: RaceResult['leftOut']): string {
  if (leftOut.length === 0) return '';
  const lines = leftOut.map(({ model, nodes, shape, aboutMs }) => {
    const where = nodes === 1 ? '' : ` on ${counted(nodes, 'node')}`;
    const base = model === 'serial' ? ', which speedups refer to' : '';
    return `  ${model} ${lanesOf(shape)}${where}: about ${milliseconds(aboutMs)}${base}\n`;
  });
  return `\nNot run, for what they would take by the first tasks:\n${lines.join('')}`;
}

const lanesOf = ({ processes, threads, concurrency }: Shape): string => `${processes}×${threads}×${concurrency}`;

function verdictText({ entries }: RaceResult, verdict: RaceResult['verdict']): string {
  if (verdict !== null) {
    const { model, nodes, shape, why } = verdict;
    return `Verdict: ${model}, ${lanesOf(shape)} on ${counted(nodes, 'node')}\n  ${why.replaceAll('; ', '\n  ')}`;
  }
  if (!resultsDiffer(entries)) return 'No verdict: no entry is valid.';
  const digests = entries.map((e) => `  ${nameOf(e, entries)}: ${e.resultDigest.slice(0, 16)}`).join('\n');
  return `No verdict: the models do not agree on the results.\n${digests}`;
}
