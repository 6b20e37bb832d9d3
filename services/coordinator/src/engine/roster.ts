/**
 * Nodes as they come, come back, tell of their work, drain, leave and are lost: what each of it means as an event, and what
 * is kept of it besides.
 */
import { RegattaError } from '@regatta/kernel';
import { isLastCopy } from '@regatta/scheduler';
import type { Observer } from '../observe/observer.ts';
import { type Outcome, reportOf, untilFailure, withoutTold } from './bookkeeping.ts';
import type { Assignment, Introduction, NodePort, NodeRecord, Pulse } from './fleet.ts';
import { limits } from './limits.ts';
import type { Orders } from './orders.ts';
import { type Insides, type Leftovers, reconcile } from './revival.ts';
import type { LateFailure } from './run-record.ts';
import type { Steps } from './steps.ts';

interface RosterOptions {
  readonly insides: Insides;
  readonly steps: Steps;
  readonly orders: Orders;
  readonly observer: Observer | undefined;
}

export class Roster {
  readonly #insides: Insides;
  readonly #steps: Steps;
  readonly #orders: Orders;
  readonly #observer: Observer | undefined;

  constructor({ insides, steps, orders, observer }: RosterOptions) {
    this.#insides = insides;
    this.#steps = steps;
    this.#orders = orders;
    this.#observer = observer;
  }

  /** Takes a node in, as a new incarnation; one of the same name that was here before is lost. */
  join(introduction: Introduction, port: NodePort): number {
    const incarnation = this.#insides.counters.nextIncarnation++;
    const { nodeId, machine, workloads } = introduction;
    const before = this.#insides.fleet.find(nodeId);
    before?.port.hangUp('the same node has connected anew');
    this.#insides.fleet.add(introduction, incarnation, port);
    const offer = { id: nodeId, incarnation, machine: machine.id, cores: machine.cores };
    const node = { ...offer, workloads: workloads.map(({ name }) => name) };
    this.#steps.post({ kind: 'nodeJoined', node }, { introduction });
    // It went on with what a coordinator before this one, or this one on another link, had told it.
    for (const runId of introduction.pulls) if (!this.#insides.scheduler.runs.has(runId)) port.close(runId);
    // Whoever drained it meant the process, not the connection.
    if (before?.drains === true && before.introduction.instance === introduction.instance) this.drain(nodeId, false);
    return incarnation;
  }

  /**
   * Takes a node back that an earlier life of this coordinator had, with what it still has of its work.
   * @returns whether it goes on; otherwise it has to drop that and join
   */
  readmit(introduction: Introduction, left: Leftovers, port: NodePort): boolean {
    const { nodeId, instance } = introduction;
    const node = this.#insides.fleet.at(nodeId, left.incarnation);
    if (node === undefined || !node.awaited || node.introduction.instance !== instance) return false;
    Object.assign(node, { port, introduction, awaited: false, lastSeenMs: Date.now() });
    const { missing, cancel, open, pull, close } = reconcile(this.#insides, introduction, left);
    for (const { runId, shape } of open) this.#orders.open(port, runId, shape);
    for (const attemptId of cancel) port.cancel(attemptId);
    for (const runId of close) port.close(runId);
    const { incarnation } = node;
    for (const { runId, shape } of pull) this.#orders.give({ kind: 'pull', nodeId, incarnation, runId, shape });
    if (node.state === 'draining') port.drain(false);
    for (const { attemptId, reported } of missing) {
      this.#steps.letGo({ attemptId, from: reported }, { nodeId, incarnation });
    }
    return true;
  }

  /** Those that an earlier life had, and that do not come back within a lease's time, are lost. */
  awaitThemAll(): void {
    for (const { introduction, incarnation, awaited } of this.#insides.fleet.list()) {
      if (awaited) setTimeout(() => this.#stopAwaiting(introduction.nodeId, incarnation), limits.leaseMs).unref();
    }
  }

  #stopAwaiting(nodeId: string, incarnation: number): void {
    if (this.#insides.fleet.at(nodeId, incarnation)?.awaited !== true) return;
    this.lost(nodeId, incarnation, `it did not come back within ${limits.leaseMs} ms of the coordinator's return`);
  }

  lost(nodeId: string, incarnation: number, reason: string): void {
    if (this.#insides.fleet.lost(nodeId, incarnation) === undefined) return;
    this.#steps.post({ kind: 'nodeLost', nodeId, incarnation, reason });
  }

  /** The node's process is about to end: as `drain`, and nobody can take that back. */
  leaving(nodeId: string, incarnation: number): void {
    const node = this.#insides.fleet.at(nodeId, incarnation);
    if (node === undefined || node.state === 'lost') return;
    node.leaves = true;
    this.drain(nodeId, false);
  }

  /** The node has gone on purpose. @param onSafe called once that is known for good */
  left(nodeId: string, incarnation: number, onSafe: () => void): void {
    if (this.#insides.fleet.left(nodeId, incarnation) === undefined) return onSafe();
    this.#steps.post({ kind: 'nodeLost', nodeId, incarnation, reason: 'it left', left: true }, { onSafe });
  }

  beat(nodeId: string, incarnation: number, pulse: Pulse): void {
    const node = this.#insides.fleet.at(nodeId, incarnation);
    if (node === undefined) return;
    // Two in a row: the first may have been on its way when the node was told.
    if (node.emptied && node.pulse.pulled === 0 && pulse.pulled === 0)
      this.#insides.fleet.emptied(nodeId, incarnation, false);
    node.pulse = pulse;
    node.lastSeenMs = Date.now();
    node.clock.heard(pulse.wallMs, pulse.roundTripMs, node.lastSeenMs);
  }

  /** The node gets no more work; what it has it finishes, or with `handBack` gives back. @throws RegattaError NO_SUCH_NODE */
  drain(nodeId: string, handBack: boolean): NodeRecord {
    const node = this.#insides.fleet.connected(nodeId);
    this.#insides.fleet.drains(nodeId, node.incarnation, true);
    this.#steps.post({ kind: 'nodeDraining', nodeId, incarnation: node.incarnation, handBack });
    return node;
  }

  /** It gets work again. @throws RegattaError NO_SUCH_NODE, NODE_LEAVES */
  resume(nodeId: string): NodeRecord {
    const node = this.#insides.fleet.connected(nodeId);
    if (node.leaves)
      throw new RegattaError('NODE_LEAVES', `node ${nodeId} was told to end, and gets no more work: start it anew`);
    this.#insides.fleet.drains(nodeId, node.incarnation, false);
    this.#steps.post({ kind: 'nodeResumed', nodeId, incarnation: node.incarnation });
    return node;
  }

  /** News of a failure that came after its task's result. */
  late(nodeId: string, incarnation: number, failure: LateFailure): void {
    if (this.#insides.fleet.at(nodeId, incarnation) === undefined) return;
    const run = this.#insides.history.find(failure.runId);
    if (run === undefined || !run.accounting.nodes.has(nodeId)) return;
    run.noteLate(failure);
    this.#observer?.failedLate(run.id);
    run.changed();
  }

  /** A chunk was taken back before its node got it. */
  unsent(nodeId: string, incarnation: number, { attemptId, from }: Assignment): void {
    this.#insides.fleet.at(nodeId, incarnation)?.sentAt.delete(attemptId);
    this.#steps.letGo({ attemptId, from }, { nodeId, incarnation });
  }

  /** @param onSafe called when it is safe: the node need not keep it any longer */
  report(nodeId: string, incarnation: number, said: Outcome, onSafe?: () => void): void {
    const attempt = this.#insides.scheduler.nodes.get(nodeId)?.attempts.get(said.attemptId);
    // Whose attempt it is we know ourselves: a node that errs must not write into the books of another run.
    const runId = attempt?.run.id ?? said.runId;
    const ours = runId === said.runId ? said : { ...said, runId };
    const fresh = attempt !== undefined && attempt.copies > 0 ? withoutTold(ours, attempt.reported) : ours;
    if (fresh !== ours) this.#observer?.duplicate(runId);
    // The other node that has it has told all of it.
    if (fresh !== ours && fresh.from === fresh.to && fresh.end.kind === 'open') {
      return void this.#steps.recorder.settled().then(onSafe, () => {});
    }
    const hasOther = attempt?.copy !== undefined && !isLastCopy(attempt, nodeId);
    const outcome = hasOther ? untilFailure(fresh) : fresh;
    if (outcome !== fresh) this.#insides.fleet.at(nodeId, incarnation)?.port.cancel(outcome.attemptId);
    if (outcome.end.kind !== 'open') this.#insides.fleet.at(nodeId, incarnation)?.port.ended(outcome.attemptId);
    this.#steps.post({ ...reportOf(outcome, nodeId), incarnation }, { outcome, nodeId, ...(onSafe && { onSafe }) });
  }
}
