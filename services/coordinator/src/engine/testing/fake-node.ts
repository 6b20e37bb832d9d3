/** A node of an engine's, without a process: keeps what it is told, and reports what a test says. */
import { encodeValue, pack } from '@regatta/workloads';
import type { Outcome } from '../bookkeeping.ts';
import type { Engine } from '../engine.ts';
import type { Assignment, NodePort, RunOrder } from '../fleet.ts';
import type { Leftovers } from '../revival.ts';

export const NO_TIMING = {
  wallUs: new Uint32Array(0),
  cpuUs: new Uint32Array(0),
  cpuMs: 0,
  laneMs: 1,
  waitMs: 0,
  serializeMs: 0,
  residentMs: 0,
  bytes: 0,
  host: 0,
  hostRssBytes: 0,
  stallMs: 0,
  throttledMs: 0,
};

export class FakeNode implements NodePort {
  readonly id: string;
  readonly incarnation: number;
  readonly opened: RunOrder[] = [];
  readonly assigned: Assignment[] = [];
  readonly pulled: RunOrder[] = [];
  /** Runs that it was told to pull no more of. */
  readonly unpulled: string[] = [];
  readonly cancelled: number[] = [];
  /** Attempts of which the coordinator said that they were over. */
  readonly over: number[] = [];
  readonly closed: string[] = [];
  readonly drains: boolean[] = [];
  hungUp = '';
  /** It went on with what it had. */
  readonly resumed: boolean;
  readonly #engine: Engine;
  readonly #cores: number;

  /** @param instance its process: one that connects anew has the same */
  constructor(engine: Engine, id: string, cores = 1, instance = id, left?: Leftovers) {
    this.id = id;
    this.#engine = engine;
    this.#cores = cores;
    const machine = { id, hostname: id, osCores: cores, quotaCores: cores, quotaLimited: false, memoryBytes: 0, cores };
    const workloads = [{ name: 'noop', kind: 'cpu' as const, summary: '', parameters: [] }];
    const made = { runtime: '', version: '', pid: 1, instance, address: '', pulls: [], limits: [] };
    const introduction = { nodeId: id, machine, workloads, ...made };
    this.resumed = left !== undefined && engine.roster.readmit(introduction, left, this);
    this.incarnation = this.resumed ? left!.incarnation : engine.roster.join(introduction, this);
  }

  /** To a coordinator that took over, with what it has. */
  cameBack(engine: Engine, left: Omit<Leftovers, 'incarnation'>): FakeNode {
    return new FakeNode(engine, this.id, this.#cores, this.id, { ...left, incarnation: this.incarnation });
  }

  open(order: RunOrder): void {
    this.opened.push(order);
  }
  assign(assignment: Assignment): void {
    this.assigned.push(assignment);
  }
  pull(order: RunOrder): void {
    this.pulled.push(order);
  }
  stopPull(runId: string): void {
    this.unpulled.push(runId);
  }
  ended(attemptId: number): void {
    this.over.push(attemptId);
  }
  cancel(attemptId: number): void {
    this.cancelled.push(attemptId);
  }
  close(runId: string): void {
    this.closed.push(runId);
  }
  drain(handBack: boolean): void {
    this.drains.push(handBack);
  }
  hangUp(reason: string): void {
    this.hungUp = reason;
  }

  /** What it was given next; taken off its list. */
  take(): Assignment {
    const next = this.assigned.shift();
    if (next === undefined) throw new Error(`${this.id} was given nothing more`);
    return next;
  }

  report({ attemptId, runId, from, to }: Assignment, over: Partial<Outcome> = {}): void {
    const results = pack(Array.from({ length: to - from }, (_, i) => encodeValue(from + i)));
    const whole = { attemptId, runId, from, to, results, failures: [], timing: NO_TIMING, end: { kind: 'completed' } };
    this.#engine.roster.report(this.id, this.incarnation, { ...whole, ...over } as Outcome);
  }

  /** It has let go of an attempt with nothing done. */
  stop(assignment: Assignment): void {
    this.report(assignment, { to: assignment.from, results: pack([]), end: { kind: 'stopped' } });
  }

  /** Does all that it has been given, and all that it is given for it. */
  workOff(): void {
    while (this.assigned.length > 0) this.report(this.take());
  }
}
