/**
 * The scheduler: `step(event, now) → effects`. No clock, no I/O, no randomness: the same events give the same effects
 * (I8), so production and simulation run this very code, and a recorded run can be replayed.
 *
 * It does not hold inputs, results or messages. Late and duplicate news is normal: ignored, with an effect that says so.
 * A state that the design rules out throws InvariantError: the run's books can no longer be trusted.
 *
 * docs/SCHEDULER.md has the states, the events and the invariants I1 to I9.
 */
import { assert, type Range, unreachable } from '@regatta/kernel';
import { Alarms } from './alarms.ts';
import { backoffMs } from './backoff.ts';
import { copyStragglers, isLastCopy, leave, otherPlace, placeOn } from './copies.ts';
import { close, dispatch, type Field, fill } from './dispatch.ts';
import { dumpNumber, loadNumber } from './dump.ts';
import type { Effect, IgnoreReason, RetryCause } from './effects.ts';
import { dismiss, enroll, learnRate, setAside } from './enroll.ts';
import type { AttemptEnd, Event, Loss, NodeOffer, RunPlan } from './events.ts';
import { assertWithinLimits, limits } from './limits.ts';
import { afterFailure, type Cause, judge } from './losses.ts';
import { type Attempt, Node } from './node.ts';
import { between, flawOf, type Report, rateOf, stretchesOf } from './reports.ts';
import { type RetryChunk, Run } from './run.ts';
import type { Share } from './share.ts';
import { dumpBooks, loadBooks, type SchedulerSnapshot } from './snapshot.ts';
import { nextAttemptState, nextNodeState } from './transitions.ts';

/** How much the newest chunk counts in a node's measured rate. */
const RATE_WEIGHT = 0.5;

const smoothed = (known: number, newest: number): number =>
  known === 0 ? newest : known + RATE_WEIGHT * (newest - known);

/** More than one coordinator hands out between two records; so many successors have ids left: two million. */
const ATTEMPT_IDS_PER_TERM = 2 ** 32;

export class Scheduler implements Field {
  readonly nodes = new Map<string, Node>();
  readonly runs = new Map<string, Run>();
  readonly turns: Run[] = [];
  nextAttemptId = 1;
  readonly #alarms = new Alarms((runId) => this.runs.get(runId)?.active === true);
  #wakeAt = Number.POSITIVE_INFINITY;
  #effects: Effect[] = [];
  /** Nodes that may have room for more, or for which there may be more, since this step began. */
  readonly #toServe = new Set<Node>();
  /** Runs whose queue may have got room or work, or whose nodes have changed. */
  readonly #toFill = new Set<Run>();
  /** Runs whose time to look for stragglers has come. */
  readonly #toLookAt: Run[] = [];

  /**
   * Takes one event and returns what is to be done because of it, in order.
   * @param now ms on a clock that never goes back
   */
  step(event: Event, now: number): Effect[] {
    this.#effects = [];
    this.#toServe.clear();
    this.#take(event, now);
    // Last, so that what is handed out rests on books that are settled.
    dispatch(this, [...this.#toServe], now, this.#effects);
    // After that: what has not been begun comes before what is done twice.
    while (this.#toLookAt.length > 0) copyStragglers(this, this.#toLookAt.shift()!, now, this.#effects);
    if (this.#toFill.size > 0) this.#fillQueues(now);
    this.#askForWake();
    return this.#effects;
  }

  #fillQueues(now: number): void {
    for (const run of this.#toFill) fill(this, run, now, this.#effects);
    // Not in every step, though it would be simpler: clearing an empty set is not free, and most steps fill nothing.
    this.#toFill.clear();
  }

  /** All that is known, as plain data; costs by runs, nodes, chunks held and gaps between what is committed. */
  snapshot(): SchedulerSnapshot {
    return { ...dumpBooks(this), wakeAt: dumpNumber(this.#wakeAt), alarms: this.#alarms.dump() };
  }

  /**
   * A scheduler that goes on where the snapshot was taken. It has asked for the same `wake`.
   * @throws RegattaError SNAPSHOT_VERSION where the snapshot is of another version
   */
  static restore(snapshot: SchedulerSnapshot): Scheduler {
    const scheduler = new Scheduler();
    loadBooks(scheduler, snapshot);
    scheduler.#wakeAt = loadNumber(snapshot.wakeAt);
    scheduler.#alarms.load(snapshot.alarms);
    return scheduler;
  }

  #take(event: Event, now: number): void {
    switch (event.kind) {
      case 'runSubmitted':
        return this.#submit(event.plan, now);
      case 'runStopped':
        return this.#stop(event.runId, event.reason);
      case 'nodeJoined':
        return this.#join(event.node, now);
      case 'nodeLost':
        return this.#lose(event, now);
      case 'nodeDraining':
        return this.#drain(event.nodeId, event.incarnation, event.handBack);
      case 'nodeResumed':
        return this.#resume(event.nodeId, event.incarnation);
      case 'attemptReported':
        return this.#report(event, now);
      case 'tick':
        return this.#tick(now);
      case 'recovered':
        return this.#recover(now);
      default:
        return unreachable(event);
    }
  }

  #submit(plan: RunPlan, now: number): void {
    assert(!this.runs.has(plan.runId), `run ${plan.runId} submitted twice`);
    assert(this.runs.size < limits.runsActiveMax, 'there are at most runsActiveMax runs');
    assertWithinLimits(plan);
    const run = new Run(plan, now);
    this.runs.set(run.id, run);
    this.#takeTurns(run);
    if (plan.deadlineMs > 0) this.#alarms.set(run.deadlineAt, run.id);
    enroll(run, this.nodes.values());
    this.#serve(run);
  }

  #stop(runId: string, reason: string): void {
    const run = this.runs.get(runId);
    if (run === undefined) return this.#ignore('unknown-run', runId);
    if (!run.active) return this.#ignore('already-stopping', runId);
    run.move('stopRequested');
    run.stopReason = reason;
    this.#effects.push({ kind: 'runStopping', runId, reason });
    const turn = this.turns.indexOf(run);
    if (turn >= 0) this.turns.splice(turn, 1);
    this.#recall(run);
    this.#settle(run);
  }

  /** Asks for all that is held of the run: each attempt from its node, or all of them from the queue. */
  #recall(run: Run): void {
    for (const attempt of run.attemptsHeld()) attempt.state = nextAttemptState(attempt.state, 'stopRequested');
    if (run.queue !== undefined) {
      const attemptIds = [...run.queue.holder.attempts.keys()];
      if (attemptIds.length > 0) this.#effects.push({ kind: 'withdraw', runId: run.id, attemptIds });
      return;
    }
    for (const { node } of run.shares.values()) {
      const { id: nodeId, offer } = node;
      for (const attempt of node.attempts.values()) {
        if (attempt.run !== run) continue;
        this.#effects.push({ kind: 'cancel', nodeId, incarnation: offer.incarnation, attemptId: attempt.id });
      }
    }
  }

  #join(offer: NodeOffer, now: number): void {
    // A node says what it has: it is checked, not trusted.
    if (!(Number.isSafeInteger(offer.incarnation) && offer.cores > 0 && Number.isFinite(offer.cores))) {
      return this.#ignore('malformed');
    }
    const before = this.nodes.get(offer.id);
    if (before !== undefined && before.offer.incarnation >= offer.incarnation) return this.#ignore('stale-node');
    const { incarnation } = before?.offer ?? offer;
    if (before !== undefined)
      this.#lose({ nodeId: offer.id, incarnation, reason: 'it came back as a new incarnation' }, now);
    const node = new Node(offer);
    this.nodes.set(offer.id, node);
    this.#enlist(node);
  }

  #enlist(node: Node): void {
    for (const run of this.runs.values()) {
      if (!run.active) continue;
      enroll(run, [node]);
      if (run.queue !== undefined) this.#toFill.add(run);
    }
    this.#toServe.add(node);
  }

  #lose({ nodeId, incarnation, reason, left }: Omit<Extract<Event, { kind: 'nodeLost' }>, 'kind'>, now: number): void {
    const node = this.#nodeOf(nodeId, incarnation);
    if (node === undefined) return this.#ignore('stale-node');
    this.nodes.delete(nodeId);
    const loss: Loss = { code: 'NODE_LOST', message: `node ${nodeId} was lost: ${reason}` };
    const attempts = [...node.attempts.values()];
    const over = attempts.filter((attempt) => attempt.copy === undefined || isLastCopy(attempt, nodeId));
    for (const attempt of attempts) {
      if (isLastCopy(attempt, nodeId)) this.#fence(attempt, attempt.taker as Share, 'neither');
      else if (attempt.copy !== undefined) leave(attempt, placeOn(attempt, nodeId));
    }
    for (const attempt of over) close(attempt, 'lost');
    for (const attempt of over) this.#retryRest(attempt, left === true ? 'let-go' : 'node-gone', loss, nodeId, now);
    for (const run of [...node.runs]) {
      dismiss(run, run.shares.get(nodeId)!);
      if (run.active) enroll(run, this.nodes.values());
      this.#serve(run);
      this.#settle(run);
    }
  }

  #drain(nodeId: string, incarnation: number, handBack: boolean): void {
    const node = this.#nodeOf(nodeId, incarnation);
    if (node === undefined) return this.#ignore('stale-node');
    const next = nextNodeState(node.state, handBack ? 'handBackAsked' : 'drainAsked');
    if (next === node.state) return this.#ignore('already-draining');
    node.state = next;
    this.#effects.push({ kind: 'drain', nodeId, incarnation, handBack });
    for (const run of node.runs) {
      const pulled = setAside(run, run.shares.get(nodeId)!) && run.queue !== undefined;
      if (pulled) this.#effects.push({ kind: 'stopPull', nodeId, incarnation, runId: run.id });
      if (run.active) enroll(run, this.nodes.values());
      // Others may take what this node would have taken; one of them may have to let go for the suspects now.
      this.#serve(run);
    }
    this.#noteIfDrained(node);
  }

  #resume(nodeId: string, incarnation: number): void {
    const node = this.#nodeOf(nodeId, incarnation);
    if (node === undefined) return this.#ignore('stale-node');
    const next = nextNodeState(node.state, 'resumed');
    if (next === node.state) return this.#ignore('not-draining');
    node.state = next;
    this.#enlist(node);
    // It may be the one again that lets go for the suspects, and another need not any more.
    for (const run of node.runs) this.#serve(run);
  }

  #noteIfDrained(node: Node): void {
    if (node.attempts.size > 0 || node.state === 'drained') return;
    node.state = nextNodeState(node.state, 'emptied');
    this.#effects.push({ kind: 'nodeDrained', nodeId: node.id, incarnation: node.offer.incarnation });
  }

  #report(report: Report, now: number): void {
    const { runId, nodeId, incarnation, attemptId } = report;
    const node = this.#nodeOf(nodeId, incarnation);
    if (runId === undefined && node === undefined) return this.#ignore('stale-node');
    // Who pulled it from a queue, and whether that node is still there, does not matter: the work is done.
    const holder = runId === undefined ? node : this.runs.get(runId)?.queue?.holder;
    const attempt = holder?.attempts.get(attemptId);
    if (attempt === undefined) return this.#ignore('fenced-attempt');
    const { run } = attempt;
    const flaw = flawOf(report, attempt);
    if (flaw !== undefined) this.#ignore(flaw, run.id);
    else if (report.to > report.from) this.#progress(attempt, report, now);
    // Even where its tasks cannot be counted: the node has let go of the attempt, and nobody else would end it (I7).
    if (report.end.kind !== 'open') this.#endAttempt(attempt, report.end, nodeId, now);
    if (run.queue !== undefined) this.#toFill.add(run);
    else if (node !== undefined) this.#toServe.add(node);
    this.#settle(run);
    if (node?.serves === false) this.#noteIfDrained(node);
  }

  /** Commits what the report says is done, but for failed tasks that may be tried again. */
  #progress(attempt: Attempt, report: Report, now: number): void {
    const { run, failures } = attempt;
    const { from, to, failed, nodeId } = report;
    const taker = placeOn(attempt, nodeId);
    attempt.state = nextAttemptState(attempt.state, 'progressed');
    attempt.reported = to;
    run.inFlight -= to - from;
    run.resultBytes += report.bytes;
    const rate = rateOf(report);
    if (rate > 0) {
      learnRate(run, taker, smoothed(taker.rate, rate));
      run.usualRate = smoothed(run.usualRate, rate);
    }
    if (!run.active || failures >= run.plan.retries) {
      this.#commit(run, report, failed.length);
      for (const stretch of stretchesOf(failed)) this.#giveUp(attempt, stretch, nodeId, undefined);
      return;
    }
    const stretches = stretchesOf(failed, report.retryAfterMs, backoffMs(failures, 0));
    for (const part of between(report, stretches)) this.#commit(run, part, 0);
    this.#putBack(
      run,
      stretches.map((stretch) => afterFailure(attempt, stretch, run.seed, now)),
      'failed',
      now,
    );
  }

  #endAttempt(attempt: Attempt, end: Exclude<AttemptEnd, { kind: 'open' }>, nodeId: string, now: number): void {
    if (attempt.copy !== undefined) {
      const place = placeOn(attempt, nodeId);
      const isDone = attempt.reported === attempt.to;
      if (!isDone && !isLastCopy(attempt, nodeId)) return leave(attempt, place);
      const other = otherPlace(attempt, place);
      this.#fence(attempt, other, isDone ? (other === attempt.copy ? 'copy' : 'first') : 'neither');
    }
    close(attempt, end.kind);
    if (end.kind === 'lost') return this.#retryRest(attempt, 'work', end.loss, nodeId, now);
    if (end.kind === 'stopped') {
      return this.#retryRest(attempt, 'let-go', { code: 'STOPPED', message: 'stopped by its node' }, nodeId, now);
    }
    const loss = { code: 'REPORT_MISSING', message: 'ended by its node with no word of some of its tasks' };
    this.#retryRest(attempt, 'left-out', loss, nodeId, now);
  }

  /** The attempt ends at its other place; whatever this one still says of it is fenced. */
  #fence(attempt: Attempt, place: Share, outrun: 'first' | 'copy' | 'neither'): void {
    const { node } = place;
    leave(attempt, place);
    const { id: nodeId, offer } = node;
    const { incarnation } = offer;
    this.#effects.push({
      kind: 'cancel',
      nodeId,
      incarnation,
      attemptId: attempt.id,
      outrun,
      runId: attempt.run.id,
    });
    this.#toServe.add(node);
    if (!node.serves) this.#noteIfDrained(node);
  }

  /** Puts back what an ended attempt left undone, or gives it up. */
  #retryRest(attempt: Attempt, cause: Cause, loss: Loss, nodeId: string, now: number): void {
    const { run, reported: from, to, attempt: nth, failures, nodeLosses, alone } = attempt;
    if (from === to) return;
    const undone = { from, to, attempt: nth, failures, nodeLosses, alone };
    if (!run.active) return run.putBack({ ...undone, notBefore: now });
    const { again, givenUp } = judge(undone, cause, loss, { retries: run.plan.retries, seed: run.seed }, now);
    if (givenUp !== undefined) {
      run.commit(givenUp.from, givenUp.to, givenUp.to - givenUp.from);
      this.#giveUp(attempt, givenUp, nodeId, loss);
    }
    this.#putBack(run, again, cause === 'let-go' ? 'let-go' : 'lost', now);
  }

  /** Lets chunks of an active run be tried again, each when its time has come. */
  #putBack(run: Run, chunks: readonly RetryChunk[], because: RetryCause, now: number): void {
    if (chunks.length === 0) return;
    if (run.pending === 0) this.#takeTurns(run);
    let tasks = 0;
    for (const chunk of chunks) {
      run.putBack(chunk);
      tasks += chunk.to - chunk.from;
    }
    for (const at of new Set(chunks.map((chunk) => chunk.notBefore))) {
      if (at > now) this.#alarms.set(at, run.id);
      else this.#serve(run);
    }
    this.#effects.push({ kind: 'retry', runId: run.id, tasks, because });
  }

  #commit(run: Run, { from, to }: Range, failed: number): void {
    run.commit(from, to, failed);
    this.#effects.push({ kind: 'commit', runId: run.id, from, to });
  }

  #giveUp({ run, attempt }: Attempt, { from, to }: Range, nodeId: string, loss: Loss | undefined): void {
    this.#effects.push({ kind: 'giveUp', runId: run.id, from, to, nodeId, attempt, loss });
  }

  /** Ends the run if nothing of it is left to do and nothing of it is held. */
  #settle(run: Run): void {
    run.assertConservation();
    if (run.held > 0) return;
    if (run.committed.size === run.plan.tasks) run.move(run.failed === 0 ? 'allSucceeded' : 'someFailed');
    else if (run.state === 'stopping') run.move('drained');
    else return;
    const { state } = run;
    assert(state === 'succeeded' || state === 'failed' || state === 'cancelled', 'an ended run has an end state');
    this.runs.delete(run.id);
    const nodes: { nodeId: string; incarnation: number }[] = [];
    for (const share of [...run.shares.values()]) {
      if (share.opened) nodes.push({ nodeId: share.node.id, incarnation: share.node.offer.incarnation });
      dismiss(run, share);
    }
    const counts = run.counts();
    this.#effects.push({ kind: 'runEnded', runId: run.id, state, reason: run.stopReason, counts, nodes });
  }

  #tick(now: number): void {
    this.#wakeAt = Number.POSITIVE_INFINITY;
    for (const runId of this.#alarms.takeDue(now)) {
      const run = this.runs.get(runId);
      if (run === undefined || !run.active) continue;
      if (run.deadlineAt <= now) {
        this.#stop(runId, `deadline of ${run.plan.deadlineMs} ms passed`);
        continue;
      }
      this.#serve(run);
      if (run.lookAt === 0 || run.lookAt > now) continue;
      run.lookAt = 0;
      if (run.pending > 0) continue;
      this.#toLookAt.push(run);
      this.lookLater(run, now);
    }
  }

  lookLater(run: Run, now: number): void {
    if (run.plan.speculate !== true || run.lookAt > 0) return;
    this.#lookAt(run, now + Math.max(limits.copyLookMs, limits.copyLookPart * (now - run.submittedAt)));
  }

  #lookAt(run: Run, at: number): void {
    run.lookAt = at;
    this.#alarms.set(at, run.id);
  }

  #recover(now: number): void {
    for (const run of this.runs.values()) {
      run.recoveredAt = now;
      if (run.active && run.lookAt > 0) this.#lookAt(run, now + limits.copyAfterTakeoverMs);
    }
    this.nextAttemptId = (Math.floor(this.nextAttemptId / ATTEMPT_IDS_PER_TERM) + 1) * ATTEMPT_IDS_PER_TERM;
    assert(Number.isSafeInteger(this.nextAttemptId + ATTEMPT_IDS_PER_TERM), 'attempt ids have run out');
  }

  /** Lines the run up for chunks of the nodes that it shares with others; what is in its own queue waits for nobody. */
  #takeTurns(run: Run): void {
    if (run.queue === undefined) this.turns.push(run);
  }

  /** Nothing where that incarnation of the node is not there (any more, or yet). */
  #nodeOf(nodeId: string, incarnation: number): Node | undefined {
    const node = this.nodes.get(nodeId);
    return node?.offer.incarnation === incarnation ? node : undefined;
  }

  /** At the end of the step, looks at what the run's nodes, or its queue, can take. */
  #serve(run: Run): void {
    if (run.queue !== undefined) return void this.#toFill.add(run);
    for (const share of run.shares.values()) this.#toServe.add(share.node);
  }

  #askForWake(): void {
    const { next } = this.#alarms;
    if (next >= this.#wakeAt) return;
    this.#wakeAt = next;
    this.#effects.push({ kind: 'wake', at: next });
  }

  #ignore(reason: IgnoreReason, runId?: string): void {
    this.#effects.push({ kind: 'ignored', reason, runId });
  }
}
