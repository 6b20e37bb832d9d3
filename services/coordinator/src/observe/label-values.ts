/**
 * What labels may say, where that is a closed set. Counted from these lists, and what boards and alerts ask for is held
 * against them: a value that nobody counts would be asked for in vain, and nothing would say so.
 */
import { OUTCOME_STREAM, WORK_STREAM } from '@regatta/proto/queue-names';
import { modelNames } from '../cli/models.ts';
import { JOURNAL_STREAM } from '../journal/names.ts';

/** That a coordinator takes up, and is counted for. */
export const ROLES_TAKEN = ['leading', 'uncertain', 'standing-by'] as const;
export const ROLES = [...ROLES_TAKEN, 'idle'] as const;
export type RoleTaken = (typeof ROLES_TAKEN)[number];

/** Refusals of nodes that somebody should look at. */
export const NODE_REFUSALS = ['NAME_TAKEN', 'PROTOCOL_VERSION', 'BAD_FRAME'] as const;

const LOSSES = [
  'HOST_DIED',
  'MEMORY_EXCEEDED',
  'TASK_TIMED_OUT',
  'THREAD_DIED',
  'DELIVERED_TOO_OFTEN',
  'NODE_LOST',
] as const;
/** Of losses; what a node calls by another name is OTHER. */
export const LOSS_CODES: ReadonlySet<string> = new Set(LOSSES);

export const TRANSPORTS = ['grpc', 'nats'] as const;
export const OUTCOMES = ['succeeded', 'failed', 'cancelled'] as const;
const CHUNK_OUTCOMES = ['completed', 'stopped', 'lost'] as const;
export const JOURNALED = ['events', 'results', 'ended', 'inputs', 'snapshot'] as const;
export const STREAMS = [JOURNAL_STREAM, WORK_STREAM, OUTCOME_STREAM] as const;
export const DOORS = ['grpc', 'metrics'] as const;
export const TOKEN_FAULTS = ['missing', 'wrong'] as const;

/** By label, for all metrics that have it and are not named below. */
export const labelValues: Readonly<Record<string, readonly string[]>> = {
  model: [...modelNames, 'other'],
  transport: TRANSPORTS,
  door: DOORS,
  stream: STREAMS,
};

/** By metric and label. */
export const metricLabelValues: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  regatta_tasks_total: { outcome: OUTCOMES },
  regatta_runs_total: { outcome: OUTCOMES },
  regatta_chunks_total: { outcome: CHUNK_OUTCOMES },
  regatta_task_retries_total: { reason: ['failed', 'lost', 'let-go'] },
  regatta_results_ignored_total: {
    reason: ['duplicate', 'fenced-attempt', 'stale-node', 'out-of-order', 'malformed', 'unknown-run'],
  },
  regatta_poison_tasks_total: { reason: [...LOSSES, 'OTHER'] },
  regatta_runs_active: { state: ['waiting', 'running', 'stopping'] },
  regatta_run_tasks: { state: [...OUTCOMES, 'in-flight', 'pending'] },
  regatta_nodes: { state: ['alive', 'draining', 'drained', 'awaited', 'lost'] },
  regatta_node_info: { state: ['alive', 'draining', 'drained'] },
  regatta_nodes_refused_total: { reason: NODE_REFUSALS },
  regatta_refused_tokens_total: { reason: TOKEN_FAULTS },
  regatta_leadership: { role: ROLES },
  regatta_leadership_changes_total: { role: ROLES_TAKEN },
  regatta_journal_bytes_total: { kind: JOURNALED },
  regatta_nats_scrape_ok: { part: ['streams', 'varz', 'jsz'] },
};
