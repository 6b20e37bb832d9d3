/** A race as people read it: a table, what each invalid row lacks, and the verdict. */
import type { EntryResult } from '../../advisor/measure.ts';
import type { RaceResult } from '../../advisor/race.ts';
import { resultsDiffer } from '../../advisor/verdict.ts';
import { bytes, milliseconds, plural, times, whole } from './format.ts';
import { type Column, table } from './table.ts';

const columns: readonly Column<EntryResult>[] = [
  { head: 'model', cell: (e) => e.model },
  { head: 'nodes', cell: (e) => String(e.nodes), align: 'right' },
  { head: 'p×t×c', cell: ({ shape }) => `${shape.processes}×${shape.threads}×${shape.concurrency}` },
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
  const { workload, tasks, cluster, entries, verdict } = result;
  const runs = entries[0]!.wallMs.runs;
  const cores = cluster.cores.join(' + ');
  const head = `${workload}, ${plural(tasks, 'task')}, median of ${plural(runs, 'run')}; ${plural(cluster.nodes, 'node')} with ${cores} cores\n\n`;
  const notes = entries.flatMap((entry) =>
    entry.valid ? [] : [`  ${entry.model} on ${entry.nodes}: ${entry.notes.join('; ')}\n`],
  );
  const faults = notes.length === 0 ? '' : `\nNot valid:\n${notes.join('')}`;
  return `${head}${table(columns, entries)}${faults}\n${verdictText(result, verdict)}\n`;
}

function verdictText({ entries }: RaceResult, verdict: RaceResult['verdict']): string {
  if (verdict !== null) {
    const { model, nodes, shape, why } = verdict;
    const lanes = `${shape.processes}×${shape.threads}×${shape.concurrency}`;
    return `Verdict: ${model}, ${lanes} on ${plural(nodes, 'node')}\n  ${why.replaceAll('; ', '\n  ')}`;
  }
  if (!resultsDiffer(entries)) return 'No verdict: no entry is valid.';
  const digests = entries.map((e) => `  ${e.model} on ${e.nodes}: ${e.resultDigest.slice(0, 16)}`).join('\n');
  return `No verdict: the models do not agree on the results.\n${digests}`;
}
