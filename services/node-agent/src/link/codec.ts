/** Between the wire's types and the agent's own. The only file of the agent, but for link.ts, that knows the wire. */
import { randomUUID } from 'node:crypto';
import type { LimitView } from '@regatta/kernel';
import type {
  Hello,
  Assignment as WireAssignment,
  Outcome as WireOutcome,
  RunOrder as WireRunOrder,
} from '@regatta/proto/node';
import { protocol } from '@regatta/proto/version';
import type { Parameter, Workload } from '@regatta/proto/workload';
import type { Assignment, Loss, Outcome, RunOrder } from '../hosts/work.ts';
import type { Machine } from '../machine/machine.ts';
import type { WorkloadCard } from '../worker/messages.ts';

const instance = randomUUID();

const KIND = { cpu: 1, io: 2 } as const;

export interface Introduction {
  readonly limits: readonly LimitView[];
  readonly nodeId: string;
  readonly machine: Machine;
  readonly workloads: readonly WorkloadCard[];
  readonly version: string;
  /** HOST:PORT; empty for none. */
  readonly metricsAddress?: string;
}

/** What is left of an earlier connection. */
export interface Leftovers {
  /** Runs that it pulls for. */
  readonly pulls: string[];
  /** Work that was pushed here, where the coordinator may know of it still. */
  readonly pushed: { readonly incarnation: number; readonly attempts: number[]; readonly runs: string[] } | undefined;
}

export function helloOf(introduction: Introduction, left: Leftovers): Hello {
  const { nodeId, machine, workloads, version, limits, metricsAddress = '' } = introduction;
  return {
    protocolMin: protocol.min,
    protocolMax: protocol.max,
    nodeId,
    machine,
    workloads: workloads.map(workloadOf),
    runtime: `node${process.versions.node.split('.')[0]}`,
    version,
    pid: process.pid,
    instance,
    limits: [...limits],
    pulls: left.pulls,
    resume: left.pushed,
    metricsAddress,
  };
}

function workloadOf({ name, kind, summary, parameters }: WorkloadCard): Workload {
  const described = parameters.map(
    (parameter): Parameter => ({
      name: parameter.name,
      type: typeof parameter.default,
      defaultJson: JSON.stringify(parameter.default),
      unit: parameter.unit,
      description: parameter.description,
    }),
  );
  return { name, kind: KIND[kind], summary, parameters: described };
}

/** @throws SyntaxError where the parameters are no JSON: the coordinator is not one of ours */
export function runOrderOf(wire: WireRunOrder, pulled: boolean): RunOrder {
  const { processes, threads, concurrency } = wire.shape ?? { processes: 1, threads: 1, concurrency: 1 };
  return {
    runId: wire.runId,
    workload: wire.workload,
    params: JSON.parse(wire.paramsJson),
    shape: { processes, threads, concurrency },
    taskTimeoutMs: wire.taskTimeoutMs,
    pulled,
    polite: wire.polite,
  };
}

export const assignmentOf = ({ attemptId, runId, from, to, attempt, alone, inputs }: WireAssignment): Assignment => ({
  attemptId,
  runId,
  from,
  to,
  attempt,
  alone,
  inputs,
});

export function wireOutcomeOf(outcome: Outcome, nodeId: string): WireOutcome {
  const { attemptId, runId, from, to, results, failures, timing, end } = outcome;
  const { wallUs, cpuUs, ...figures } = timing;
  return {
    attemptId,
    runId,
    from,
    to,
    results,
    failures: failures.map(({ task, code, message, stack }) => ({
      task,
      code,
      message,
      stack,
      attempt: 0,
      node: nodeId,
      exit: undefined,
      signal: '',
      rssBytes: 0,
      stderrTail: '',
    })),
    timing: { ...figures, wallUs: bytesOf(wallUs), cpuUs: bytesOf(cpuUs) },
    end: wireEndOf(end),
    retryAfterMs: failures.some(asksForTime) ? failures.map(({ retryAfterMs }) => retryAfterMs ?? 0) : [],
  };
}

const asksForTime = ({ retryAfterMs }: Outcome['failures'][number]): boolean => retryAfterMs !== undefined;

function wireEndOf(end: Outcome['end']): WireOutcome['end'] {
  switch (end.kind) {
    case 'open':
      return undefined;
    case 'completed':
      return { $case: 'completed', value: true };
    case 'stopped':
      return { $case: 'stopped', value: true };
    case 'lost':
      return { $case: 'lost', value: { ...end.loss } satisfies Loss };
  }
}

/** The same bytes. The wire's little-endian integers are every supported machine's own. */
const bytesOf = (view: Uint32Array): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
