/** A node whose executor writes down what it was given, and ends it when a test says so. */
import type { Broker } from '@regatta/broker';
import { encodeValue, pack } from '@regatta/workloads';
import { pino } from 'pino';
import type { Assignment, Outcome, OutcomeEnd } from '../../hosts/work.ts';
import { Puller } from '../puller.ts';

const NO_TIMES = new Uint32Array(0);

export class TestNode {
  readonly puller: Puller;
  /** In the order given. */
  readonly given: Assignment[] = [];
  readonly warnings: string[] = [];

  constructor(broker: Broker, nodeId: string, onGiven: (assignment: Assignment) => void = () => {}) {
    const stream = { write: (line: string) => void this.warnings.push(String(JSON.parse(line).msg)) };
    this.puller = new Puller(broker, {
      nodeId,
      incarnation: () => 7,
      executor: {
        assign: (assignment) => {
          this.given.push(assignment);
          onGiven(assignment);
        },
      },
      log: pino({ level: 'warn' }, stream),
    });
  }

  complete(assignment: Assignment): void {
    this.puller.report(outcomeOf(assignment));
  }

  completeAll(): void {
    for (const assignment of this.given) this.complete(assignment);
  }
}

/** Each task's result is its index, unless others are given. */
export function outcomeOf(
  { attemptId, runId, from, to }: Pick<Assignment, 'attemptId' | 'runId' | 'from' | 'to'>,
  end: OutcomeEnd = { kind: 'completed' },
  results: readonly Uint8Array[] = Array.from({ length: to - from }, (_, i) => encodeValue(from + i)),
): Outcome {
  const figures = { laneMs: 0, waitMs: 0, serializeMs: 0, residentMs: 0, bytes: 0, host: 1, hostRssBytes: 0 };
  const timing = {
    wallUs: Uint32Array.from({ length: to - from }, (_, i) => i),
    cpuUs: NO_TIMES,
    cpuMs: 5,
    ...figures,
    stallMs: 0,
    throttledMs: 0,
  };
  return { attemptId, runId, from, to, results: pack(results), failures: [], timing, end };
}
