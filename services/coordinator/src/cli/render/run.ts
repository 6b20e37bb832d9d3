/** One run, in words and in JSON. */

import { counted } from '@regatta/kernel';
import { limits } from '../limits.ts';
import type { AccountingView, FailureView, RunView } from '../views.ts';
import { bytes, milliseconds, rate, transportName, whole } from './format.ts';

/** The object that `run --json` prints; without results where none are given. */
export function runObject(run: RunView, result?: { readonly value: unknown }): object {
  const { runId, state, succeeded, failed, cancelled, wallMs, spec } = run;
  return {
    runId,
    ...(result === undefined && aboutOf(run)),
    state,
    ...(run.reason !== '' && { reason: run.reason }),
    tasks: spec.tasks,
    succeeded,
    failed,
    cancelled,
    wallMs,
    ...(result !== undefined && { result: result.value }),
    failures: run.failures,
    late: run.late,
    hostRestarts: run.accounting.hostRestarts,
  };
}

const aboutOf = ({ spec: { workload, model, transport }, submittedAtMs }: RunView): object => ({
  workload,
  model,
  transport,
  submittedAt: iso(submittedAtMs),
});

/** How it went, in a line or two. @param forWantOfNats it went over gRPC for no other reason */
export function runSummary(run: RunView, forWantOfNats = false): string {
  const { spec, accounting: a, wallMs } = run;
  const ended = run.succeeded + run.failed;
  const where = a.nodes.map(({ node, shape }) => `${node} at ${shape.processes}×${shape.threads}×${shape.concurrency}`);
  const way = `${transportName(spec.transport)}${forWantOfNats ? ', as there is no NATS' : ''}`;
  const asides = [
    a.lostAttempts > 0 ? `${counted(a.lostAttempts, 'attempt')} lost and tried again` : '',
    a.hostRestarts > 0 ? `${counted(a.hostRestarts, 'host process', 'host processes')} lost over its tasks` : '',
    a.copies > 0
      ? `${counted(a.copies, 'chunk')} given to a second node, which was first ${counted(a.copiesWon, 'time')}`
      : '',
    a.lateFailures > 0 ? lateText(run) : '',
    a.taskRetries > 0 ? `${counted(a.taskRetries, 'task')} tried again` : '',
    a.throttledMs > 0 ? `its nodes were throttled for ${milliseconds(a.throttledMs)}` : '',
  ].filter((aside) => aside !== '');
  return [
    `${run.runId}: ${stateText(run)}, ${cancelled(run)}${counted(spec.tasks, 'task')} in ${milliseconds(wallMs)} (${rate((ended / wallMs) * 1000)})`,
    `  ${spec.model} on ${where.join(', ') || 'no node'}, over ${way}; CPU ${milliseconds(a.cpuMs)}, ${counted(a.chunks, 'chunk')}, ${bytes(a.resultBytes)} of results`,
    ...politenessLines(run),
    ...(a.slowest === null ? [] : [`  slowest: ${slowestText(a.slowest)}`]),
    ...asides.map((aside) => `  ${aside}`),
  ].join('\n');
}

/** What it was asked to spare its targets, where it was. */
function politenessLines({ spec: { maxInFlightPerTarget, maxRatePerTarget } }: RunView): string[] {
  const bounds = [
    maxInFlightPerTarget > 0 ? `${whole(maxInFlightPerTarget)} in flight` : '',
    maxRatePerTarget > 0 ? `${maxRatePerTarget}/s` : '',
  ].filter((bound) => bound !== '');
  return bounds.length === 0 ? [] : [`  per target at most ${bounds.join(' and ')}`];
}

/** Results that stand, though something that their tasks began failed afterwards. */
function lateText({ accounting: { lateFailures }, late }: RunView): string {
  const first = late[0] === undefined ? '' : `; the first, of task ${late[0].task}: ${late[0].message}`;
  return `warning: ${counted(lateFailures, 'failure')} came after the task's result was sent${first}`;
}

function slowestText({ task, node, wallMs, cpuMs }: NonNullable<AccountingView['slowest']>): string {
  return `task ${task} on ${node}, ${milliseconds(wallMs)}${cpuMs === null ? '' : ` (CPU ${milliseconds(cpuMs)})`}`;
}

/** What was not waited for. */
const cancelled = (run: RunView): string =>
  run.state === 'succeeded' && run.cancelled > 0 ? `${whole(run.succeeded + run.failed)} of ` : '';

function stateText({ state, reason, succeeded, failed, cancelled }: RunView): string {
  if (state === 'succeeded') return cancelled === 0 ? 'succeeded' : `succeeded with ${whole(succeeded)} (${reason})`;
  const parts = [`${whole(succeeded)} succeeded`, `${whole(failed)} failed`, `${whole(cancelled)} cancelled`].join(
    ', ',
  );
  return `${state}${reason === '' ? '' : ` (${reason})`}: ${parts}`;
}

/** The first failures, each with its cause. */
export function failureText(run: RunView): string {
  const lines = run.failures.slice(0, limits.failuresShownMax).map(oneFailure);
  const more = run.failed - lines.length;
  if (more > 0) lines.push(`  and ${counted(more, 'more failure')}: --json lists more`);
  return lines.join('\n');
}

function oneFailure({ task, node, attempt, code, message, stack, stderrTail }: FailureView): string {
  const head = `  task ${task} on ${node}, attempt ${attempt}: ${code}: ${message}`;
  const frames = stack.split('\n').slice(1, 4);
  return [head, ...frames, ...telling(stderrTail).map((line) => `      | ${line}`)].join('\n');
}

/** What a process said last; where it named an error, from there on, as what follows may be a long trace. */
function telling(stderrTail: string): string[] {
  const lines = stderrTail.trim().split('\n').filter(Boolean);
  const error = lines.findIndex((line) => /\b(FATAL|\w*Error)\b/.test(line));
  return error < 0 ? lines.slice(-3) : lines.slice(error, error + 3);
}

const iso = (ms: number): string => new Date(ms).toISOString();
