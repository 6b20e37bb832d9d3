/**
 * The scheduler: `step(event, now) → effects`. No clock, no I/O, no randomness: the same events give the same effects
 * (I8), so production and simulation run this very code, and a recorded run can be replayed.
 *
 * It does not hold inputs, results or messages. Late and duplicate news is normal: ignored, with an effect that says so.
 * A state that the design rules out throws InvariantError: the run's books can no longer be trusted.
 *
 * docs/SCHEDULER.md has the states, the events and the invariants I1 to I9.
 */
import { assert, MinHeap, unreachable } from '@regatta/kernel';
import { dispatch, type Field } from './dispatch.ts';
import type { Effect, IgnoreReason } from './effects.ts';
import { dismiss, enroll, learnRate } from './enroll.ts';
import type { AttemptEnd, Event, Loss, NodeOffer, RunPlan } from './events.ts';
import { limits } from './limits.ts';
import { type Attempt, Node } from './node.ts';
import { type Chunk, Run } from './run.ts';
import { nextAttemptState } from './transitions.ts';

type Report = Extract<Event, { kind: 'attemptReported' }>;

/** How much the newest chunk counts in a node's measured rate. */
const RATE_WEIGHT = 0.5;

export class Scheduler implements Field {
  readonly nodes = new Map<string, Node>();
  readonly runs = new Map<string, Run>();
  readonly turns: Run[] = [];
  nextAttemptId = 1;
  /** Times at which something may become due; may hold times that no longer matter. */
  readonly #alarms = new MinHeap<number>((at) => at);
  #wakeAt = Number.POSITIVE_INFINITY;
  #effects: Effect[] = [];

  /**
   * Takes one event and returns what is to be done because of it, in order.
   * @param now ms on a clock that never goes back
   */
  step(event: Event, now: number): Effect[] {
    this.#effects = [];
    switch (event.kind) {
      case 'runSubmitted':
        this.#submit(event.plan, now);
        break;
      case 'runStopped':
        this.#stop(event.runId, event.reason, now);
        break;
      case 'nodeJoined':
        this.#join(event.node, now);
        break;
      case 'nodeLost':
        this.#lose(event.nodeId, event.incarnation, event.reason, now);
        break;
      case 'attemptReported':
        this.#report(event, now);
        break;
      case 'tick':
        this.#tick(now);
        break;
      default:
        unreachable(event);
    }
    this.#askForWake();
    return this.#effects;
  }

  #submit(plan: RunPlan, now: number): void {
    assert(!this.runs.has(plan.runId), `run ${plan.runId} submitted twice`);
    assert(plan.tasks >= 1, 'a run has at least one task');
    assert(plan.tasks <= limits.tasksPerRunMax, 'a run has at most tasksPerRunMax tasks');
    const run = new Run(plan, now);
    this.runs.set(run.id, run);
    this.turns.push(run);
    if (plan.deadlineMs > 0) this.#alarms.push(run.deadlineAt);
    enroll(run, this.nodes.values());
    this.#dispatchTo(
      [...run.shares.values()].map((share) => share.node),
      now,
    );
    run.assertConservation();
  }

  #stop(runId: string, reason: string, now: number): void {
    const run = this.runs.get(runId);
    if (run === undefined) return this.#ignore('unknown-run', runId);
    if (!run.active) return;
    run.move('stopRequested');
    run.stopReason = reason;
    this.#leaveTurns(run);
    for (const attempt of attemptsOf(run)) {
      attempt.state = nextAttemptState(attempt.state, 'stopRequested');
      const { id: nodeId, offer } = attempt.share.node;
      this.#effects.push({ kind: 'cancel', nodeId, incarnation: offer.incarnation, attemptId: attempt.id });
    }
    this.#settle(run, now);
  }

  #join(offer: NodeOffer, now: number): void {
    const before = this.nodes.get(offer.id);
    if (before !== undefined && before.offer.incarnation >= offer.incarnation) return this.#ignore('stale-node');
    if (before !== undefined) this.#lose(offer.id, before.offer.incarnation, 'it came back as a new incarnation', now);
    const node = new Node(offer);
    this.nodes.set(offer.id, node);
    for (const run of this.turns) enroll(run, [node]);
    this.#dispatchTo([node], now);
  }

  #lose(nodeId: string, incarnation: number, reason: string, now: number): void {
    const node = this.nodes.get(nodeId);
    if (node === undefined || node.offer.incarnation !== incarnation) return this.#ignore('stale-node');
    this.nodes.delete(nodeId);
    const loss: Loss = { code: 'NODE_LOST', message: `node ${nodeId} was lost: ${reason}` };
    const touched = [...node.runs];
    for (const attempt of [...node.attempts.values()]) this.#endAttempt(attempt, { kind: 'lost', loss }, now);
    for (const run of touched) {
      dismiss(run, run.shares.get(nodeId)!);
      if (run.active) enroll(run, this.nodes.values());
      this.#settle(run, now);
    }
    this.#dispatchTo([...this.nodes.values()], now);
  }

  #report(report: Report, now: number): void {
    const node = this.nodes.get(report.nodeId);
    if (node === undefined || node.offer.incarnation !== report.incarnation) return this.#ignore('stale-node');
    const attempt = node.attempts.get(report.attemptId);
    if (attempt === undefined) return this.#ignore('fenced-attempt');
    const { run } = attempt;
    if (!isWellFormed(report, attempt)) return this.#ignore('malformed', run.id);
    if (report.from !== attempt.reported) return this.#ignore('out-of-order', run.id);
    if (report.to > report.from) this.#progress(attempt, report, now);
    if (report.end.kind !== 'open') this.#endAttempt(attempt, report.end, now);
    this.#settle(run, now);
    this.#dispatchTo([node], now);
  }

  /** Commits what the report says is done, but for failed tasks that may be tried again. */
  #progress(attempt: Attempt, report: Report, now: number): void {
    const { run, share } = attempt;
    const { from, to, failed } = report;
    attempt.state = nextAttemptState(attempt.state, 'progressed');
    attempt.reported = to;
    run.lastProgressAt = now;
    run.inFlight -= to - from;
    run.resultBytes += report.bytes;
    if (report.busyMs > 0) {
      const rate = (to - from) / report.busyMs;
      learnRate(run, share, share.rate === 0 ? rate : share.rate + RATE_WEIGHT * (rate - share.rate));
    }
    const again = run.active && attempt.failures < run.plan.retries;
    if (failed.length === 0 || !again) {
      this.#commit(attempt, from, to, failed.length);
      for (const task of failed) this.#giveUp(attempt, task, task + 1, undefined);
      return;
    }
    let cursor = from;
    for (const task of failed) {
      if (cursor < task) this.#commit(attempt, cursor, task, 0);
      cursor = task + 1;
    }
    if (cursor < to) this.#commit(attempt, cursor, to, 0);
    const backoffMs = Math.min(limits.retryBackoffMsMax, limits.retryBackoffMsMin * 2 ** attempt.failures);
    for (const [first, end] of neighbours(failed)) {
      const { nodeLosses } = attempt;
      const chunk = { from: first, to: end, attempt: attempt.attempt + 1, failures: attempt.failures + 1, nodeLosses };
      this.#putBack(run, chunk, now + backoffMs);
    }
    this.#effects.push({ kind: 'retry', runId: run.id, tasks: failed.length, because: 'failed' });
  }

  #endAttempt(attempt: Attempt, end: Exclude<AttemptEnd, { kind: 'open' }>, now: number): void {
    const { run, share } = attempt;
    const { node } = share;
    attempt.state = nextAttemptState(attempt.state, end.kind);
    node.attempts.delete(attempt.id);
    node.load = node.attempts.size === 0 ? 0 : node.load - 1 / share.shape.concurrency;
    share.attempts--;
    if (attempt.reported === attempt.to) return;
    // A node that says "completed" with tasks left out is a node whose report went missing: those tasks are undone.
    const loss = end.kind === 'lost' ? end.loss : { code: 'STOPPED', message: 'stopped by its node' };
    run.inFlight -= attempt.to - attempt.reported;
    this.#retryLost(attempt, loss, now);
  }

  /** What is left of a lost attempt: given up, or put back whole, in halves, or around the culprit. */
  #retryLost(attempt: Attempt, loss: Loss, now: number): void {
    const { run, reported: from, to } = attempt;
    const past = { attempt: attempt.attempt + 1, failures: attempt.failures, nodeLosses: attempt.nodeLosses };
    if (!run.active) {
      run.putBack({ from, to, ...past }, now);
      return;
    }
    if (loss.code === 'NODE_LOST' || loss.code === 'STOPPED') {
      // Elsewhere it may go well at once. But a chunk that takes node after node with it is not innocent.
      if (past.nodeLosses >= limits.nodeLossesPerChunkMax) return this.#giveUpUncommitted(attempt, from, to, loss);
      this.#retry(run, { from, to, ...past, nodeLosses: past.nodeLosses + 1 }, now);
      return;
    }
    const culprit = loss.culprit ?? (to - from === 1 ? from : undefined);
    if (culprit === undefined || culprit < from || culprit >= to) {
      const middle = from + Math.ceil((to - from) / 2);
      this.#retry(run, { from, to: middle, ...past }, now);
      this.#retry(run, { from: middle, to, ...past }, now);
      return;
    }
    if (from < culprit) this.#retry(run, { from, to: culprit, ...past }, now);
    if (culprit + 1 < to) this.#retry(run, { from: culprit + 1, to, ...past }, now);
    if (past.failures >= run.plan.retries) return this.#giveUpUncommitted(attempt, culprit, culprit + 1, loss);
    this.#retry(run, { from: culprit, to: culprit + 1, ...past, failures: past.failures + 1 }, now);
  }

  #retry(run: Run, chunk: Chunk, now: number): void {
    this.#putBack(run, chunk, now);
    this.#effects.push({ kind: 'retry', runId: run.id, tasks: chunk.to - chunk.from, because: 'lost' });
  }

  #putBack(run: Run, chunk: Chunk, notBefore: number): void {
    run.putBack(chunk, notBefore);
    this.#alarms.push(notBefore);
  }

  #commit(attempt: Attempt, from: number, to: number, failed: number): void {
    attempt.run.commit(from, to, failed);
    this.#effects.push({ kind: 'commit', runId: attempt.run.id, from, to });
  }

  #giveUpUncommitted(attempt: Attempt, from: number, to: number, loss: Loss): void {
    attempt.run.commit(from, to, to - from);
    this.#giveUp(attempt, from, to, loss);
  }

  #giveUp(attempt: Attempt, from: number, to: number, loss: Loss | undefined): void {
    const { id: nodeId } = attempt.share.node;
    const runId = attempt.run.id;
    this.#effects.push({ kind: 'giveUp', runId, from, to, nodeId, attempt: attempt.attempt, loss });
  }

  /** Ends the run if nothing of it is left to do and no node holds any of it. */
  #settle(run: Run, now: number): void {
    run.assertConservation();
    if (hasAttempts(run)) return;
    if (run.committed.size === run.plan.tasks) run.move(run.failed === 0 ? 'allSucceeded' : 'someFailed');
    else if (run.state === 'stopping') run.move('drained');
    else return;
    const { state } = run;
    assert(state === 'succeeded' || state === 'failed' || state === 'cancelled', 'an ended run has an end state');
    this.#leaveTurns(run);
    this.runs.delete(run.id);
    const nodes: { nodeId: string; incarnation: number }[] = [];
    const freed: Node[] = [];
    for (const share of [...run.shares.values()]) {
      if (share.opened) nodes.push({ nodeId: share.node.id, incarnation: share.node.offer.incarnation });
      dismiss(run, share);
      freed.push(share.node);
    }
    const counts = run.counts();
    this.#effects.push({ kind: 'runEnded', runId: run.id, state, reason: run.stopReason, counts, nodes });
    this.#dispatchTo(freed, now);
  }

  #tick(now: number): void {
    this.#wakeAt = Number.POSITIVE_INFINITY;
    while ((this.#alarms.peek() ?? Number.POSITIVE_INFINITY) <= now) this.#alarms.pop();
    for (const run of [...this.turns]) {
      if (run.deadlineAt <= now) this.#stop(run.id, `deadline of ${run.plan.deadlineMs} ms passed`, now);
    }
    this.#dispatchTo([...this.nodes.values()], now);
  }

  #dispatchTo(nodes: readonly Node[], now: number): void {
    const alive = nodes.filter((node) => this.nodes.get(node.id) === node);
    dispatch(this, alive, now, this.#effects);
  }

  #leaveTurns(run: Run): void {
    const turn = this.turns.indexOf(run);
    if (turn >= 0) this.turns.splice(turn, 1);
  }

  #askForWake(): void {
    const next = this.#alarms.peek() ?? Number.POSITIVE_INFINITY;
    if (next >= this.#wakeAt) return;
    this.#wakeAt = next;
    this.#effects.push({ kind: 'wake', at: next });
  }

  #ignore(reason: IgnoreReason, runId?: string): void {
    this.#effects.push({ kind: 'ignored', reason, runId });
  }
}

function* attemptsOf(run: Run): Iterable<Attempt> {
  for (const share of run.shares.values()) {
    for (const attempt of share.node.attempts.values()) if (attempt.run === run) yield attempt;
  }
}

const hasAttempts = (run: Run): boolean => [...run.shares.values()].some((share) => share.attempts > 0);

/** A report comes from another process: it is checked, not trusted. */
function isWellFormed({ from, to, failed }: Report, attempt: Attempt): boolean {
  if (!(Number.isSafeInteger(from) && Number.isSafeInteger(to))) return false;
  if (from < attempt.from || to > attempt.to || from > to) return false;
  return failed.every((task, i) => task >= from && task < to && (i === 0 || task > failed[i - 1]!));
}

/** Ascending numbers as [first, end) stretches. */
function neighbours(ascending: readonly number[]): [number, number][] {
  const stretches: [number, number][] = [];
  for (const value of ascending) {
    const last = stretches.at(-1);
    if (last !== undefined && last[1] === value) last[1] = value + 1;
    else stretches.push([value, value + 1]);
  }
  return stretches;
}
