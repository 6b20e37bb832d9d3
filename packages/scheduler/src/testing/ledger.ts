/**
 * Books of a cluster kept from the scheduler's events and effects alone, as the coordinator could keep them: what the
 * scheduler believes of itself is not asked. Holds it to I2, I3, I5, to the cuts of a run's input, to what it owes nodes
 * that drain and nodes that pull, and to the order of effects.
 */
import assert from 'node:assert/strict';
import type { Effect, RunCounts } from '../effects.ts';
import type { Event, RunPlan } from '../events.ts';
import { limits } from '../limits.ts';

type Of<Kind extends Effect['kind']> = Extract<Effect, { kind: Kind }>;
type Report = Extract<Event, { kind: 'attemptReported' }>;
type Fate = 'pending' | 'in flight' | 'succeeded' | 'failed';

interface Book {
  readonly plan: RunPlan;
  readonly fates: Fate[];
  readonly counts: Record<Fate, number>;
  /** "node incarnation" of those that were sent the run's order; of those of them that are to pull. */
  readonly opened: Set<string>;
  readonly pulling: Set<string>;
  started: boolean;
  ended: Of<'runEnded'> | undefined;
}

interface Open extends Pick<Of<'assign'>, 'runId' | 'attemptId' | 'to' | 'alone'> {
  readonly book: Book;
  /** One node, or two where it was copied; undefined where it was published: then anybody may report it. */
  places: readonly Place[] | undefined;
  copies: number;
  /** Tasks before it were reported; they may be in other hands by now. */
  done: number;
}

interface Place {
  readonly nodeId: string;
  readonly incarnation: number;
}

/** Of one step: what has come to pass, then what is to be started, then when to wake. */
export const rank: Readonly<Record<Effect['kind'], number>> = {
  commit: 0,
  giveUp: 0,
  retry: 0,
  runStopping: 0,
  cancel: 0,
  withdraw: 0,
  runEnded: 0,
  drain: 0,
  stopPull: 0,
  nodeDrained: 0,
  ignored: 0,
  runStarted: 1,
  assign: 1,
  copy: 1,
  pull: 1,
  publish: 1,
  wake: 2,
};

export class Ledger {
  readonly #books = new Map<string, Book>();
  readonly #incarnations = new Map<string, number>();
  /** Of the nodes that are there, those that drain: what they were told last, and whether they were called drained. */
  readonly #draining = new Map<string, { handBack: boolean; drained: boolean }>();
  readonly #open = new Map<number, Open>();
  /** "attempt node", or the attempt alone where it is in a queue. */
  readonly #cancelled = new Set<string>();
  #lastAttemptId = 0;

  /** How the run ended; undefined while it has not. */
  endOf(runId: string): Of<'runEnded'> | undefined {
    return this.#books.get(runId)?.ended;
  }

  countsOf(runId: string): Omit<RunCounts, 'cancelled'> {
    const { fates, counts } = this.#books.get(runId)!;
    const { pending, succeeded, failed } = counts;
    return { tasks: fates.length, pending, succeeded, failed, inFlight: counts['in flight'] };
  }

  /** "node incarnation" of those that pull of the run. */
  pullersOf(runId: string): string[] {
    return [...this.#books.get(runId)!.pulling];
  }

  /** Enters one step; throws where an effect contradicts the books. */
  enter(event: Event, effects: readonly Effect[]): void {
    this.#assertOrder(effects);
    const happened = effects.filter((effect) => rank[effect.kind] === 0);
    const reported = event.kind === 'attemptReported' ? this.#attemptOf(event, effects) : undefined;
    if (event.kind === 'runSubmitted') this.#openBook(event.plan);
    for (const effect of happened) if (effect.kind === 'commit') this.#commit(effect, event, reported);
    for (const effect of happened) if (effect.kind === 'giveUp') this.#giveUp(effect, event, effects);
    for (const effect of happened) if (effect.kind === 'cancel') this.#cancel(effect);
    for (const effect of happened) if (effect.kind === 'withdraw') this.#withdraw(effect);
    if (event.kind === 'recovered') this.#recover(effects);
    if (event.kind === 'attemptReported') this.#letGo(event, effects, reported);
    this.#followNodes(event);
    for (const effect of happened) if (effect.kind === 'stopPull') this.#stopPull(effect);
    this.#followDrains(event, effects);
    for (const effect of happened) if (effect.kind === 'runEnded') this.#end(effect);
    for (const effect of effects) {
      if (effect.kind === 'runStarted') this.#start(effect);
      if (effect.kind === 'assign') this.#assign(effect);
      if (effect.kind === 'copy') this.#copy(effect);
      if (effect.kind === 'pull') this.#pull(effect);
      if (effect.kind === 'publish') this.#publish(effect);
    }
    this.#assertPullers();
  }

  #assertOrder(effects: readonly Effect[]): void {
    const ranks = effects.map((effect) => rank[effect.kind]);
    assert.deepEqual(
      ranks,
      ranks.toSorted((a, b) => a - b),
      `effects are in no order: ${JSON.stringify(effects)}`,
    );
    const ended = new Set<string>();
    for (const effect of effects) {
      if ('runId' in effect && effect.runId !== undefined) assert.ok(!ended.has(effect.runId), 'news of an ended run');
      if (effect.kind === 'runEnded') ended.add(effect.runId);
    }
  }

  #openBook(plan: RunPlan): void {
    const fates = new Array<Fate>(plan.tasks).fill('pending');
    const counts = { pending: plan.tasks, 'in flight': 0, succeeded: 0, failed: 0 };
    this.#books.set(plan.runId, {
      plan,
      fates,
      counts,
      opened: new Set(),
      pulling: new Set(),
      started: false,
      ended: undefined,
    });
  }

  /** The attempt that the report is about; undefined where it is about none that is open. */
  #attemptOf(report: Report, effects: readonly Effect[]): Open | undefined {
    const open = this.#open.get(report.attemptId);
    const assigned = report.runId === undefined && open?.places?.some((place) => isAt(place, report)) === true;
    const queued = open !== undefined && open.places === undefined && open.runId === report.runId;
    const mine = assigned || queued;
    const fenced = hasIgnored(effects, 'stale-node', 'fenced-attempt');
    assert.equal(fenced, !mine, `a report on attempt ${report.attemptId} is ${fenced ? '' : 'not '}fenced`);
    return mine ? open : undefined;
  }

  /** I2: in flight in the attempt that reports it, so neither committed nor given up before. */
  #commit({ runId, from, to }: Of<'commit'>, event: Event, reported: Open | undefined): void {
    assert.ok(from < to, 'an empty commit');
    assert.ok(event.kind === 'attemptReported' && reported?.runId === runId, 'a commit without a report');
    assert.ok(from >= event.from && to <= event.to, `commits ${from}..${to} of a report on ${event.from}..${event.to}`);
    this.#change(reported.book, from, to, 'in flight', 'succeeded');
  }

  /**
   * Without a loss: tasks of this step's commits that the report calls failed. With one: tasks of a lost attempt, which
   * no commit covers.
   */
  #giveUp({ runId, from, to, loss }: Of<'giveUp'>, event: Event, effects: readonly Effect[]): void {
    const book = this.#books.get(runId)!;
    if (loss !== undefined) return this.#change(book, from, to, 'in flight', 'failed');
    assert.ok(event.kind === 'attemptReported', 'failures without a report');
    for (let task = from; task < to; task++) {
      assert.ok(event.failed.includes(task), `gives up task ${task}, which did not fail`);
      const covers = (effect: Effect) => effect.kind === 'commit' && task >= effect.from && task < effect.to;
      assert.ok(effects.some(covers), `gives up task ${task}, which is not committed in this step`);
    }
    this.#change(book, from, to, 'succeeded', 'failed');
  }

  #cancel({ attemptId, nodeId, incarnation, outrun }: Of<'cancel'>): void {
    const open = this.#open.get(attemptId);
    const at = { nodeId, incarnation };
    assert.ok(open?.places?.some((place) => isAt(place, at)) === true, `cancels attempt ${attemptId}, not open`);
    const key = `${attemptId} ${nodeId}`;
    assert.ok(outrun !== undefined || !this.#cancelled.has(key), `cancels attempt ${attemptId} twice`);
    this.#cancelled.add(key);
    if (outrun === undefined) return;
    assert.equal(open.places.length, 2, `attempt ${attemptId} is outrun by nobody`);
    if (outrun !== 'neither') assert.equal(isAt(open.places[0]!, at) ? 'first' : 'copy', outrun);
    else assert.ok(isAt(open.places[0]!, at) && open.copies === limits.copiesPerAttemptMax, 'gives up too early');
    this.#leave(open, at);
  }

  /** All of the run's queue, and that once. */
  #withdraw({ runId, attemptIds }: Of<'withdraw'>): void {
    const open = [...this.#open.values()].filter((held) => held.runId === runId).map(({ attemptId }) => attemptId);
    assert.deepEqual(attemptIds, open, `withdraws from ${runId} what is not in its queue, or not all`);
    assert.ok(open.length > 0, `withdraws nothing from ${runId}`);
    for (const attemptId of attemptIds) {
      assert.ok(!this.#cancelled.has(`${attemptId}`), `withdraws attempt ${attemptId} twice`);
      this.#cancelled.add(`${attemptId}`);
    }
  }

  /** Ids that the predecessor may have given away are never given again. */
  #recover(effects: readonly Effect[]): void {
    assert.deepEqual(effects, []);
    this.#lastAttemptId = (Math.floor(this.#lastAttemptId / 2 ** 32) + 1) * 2 ** 32 - 1;
  }

  /** What the report covers and the scheduler did not commit is to be tried again; an ended attempt lets go of all. */
  #letGo(report: Report, effects: readonly Effect[], reported: Open | undefined): void {
    if (reported === undefined) return;
    const { attemptId, from, to, end } = report;
    if (!hasIgnored(effects, 'malformed', 'out-of-order')) {
      this.#release(reported.book, from, to);
      reported.done = to;
    }
    if (end.kind === 'open') return;
    if (reported.places?.length !== 2) return this.#close(attemptId);
    assert.ok(reported.done < reported.to, `attempt ${attemptId} is over, and its other node does not know`);
    this.#letGoOf(reported, report);
  }

  /** The other node goes on; but not where it was the last copy that is gone. */
  #letGoOf(open: Open, at: Place): void {
    const isLast = isAt(open.places![1]!, at) && open.copies === limits.copiesPerAttemptMax;
    assert.ok(!isLast, `attempt ${open.attemptId} is left to who takes long over it, for ever`);
    this.#leave(open, at);
  }

  #leave(open: Open, at: Place): void {
    open.places = open.places!.filter((place) => !isAt(place, at));
    this.#cancelled.delete(`${open.attemptId} ${at.nodeId}`);
  }

  #followNodes(event: Event): void {
    if (event.kind === 'nodeLost' && this.#incarnations.get(event.nodeId) === event.incarnation) {
      this.#lose(event.nodeId);
    }
    if (event.kind !== 'nodeJoined') return;
    const { id, incarnation, cores } = event.node;
    if (!Number.isSafeInteger(incarnation) || !(cores > 0 && cores < Number.POSITIVE_INFINITY)) return;
    if (incarnation <= (this.#incarnations.get(id) ?? Number.NEGATIVE_INFINITY)) return;
    this.#lose(id);
    this.#incarnations.set(id, incarnation);
  }

  #followDrains(event: Event, effects: readonly Effect[]): void {
    if (event.kind === 'nodeDraining' || event.kind === 'nodeResumed') this.#orderDrain(event, effects);
    else assert.ok(!effects.some(({ kind }) => kind === 'drain'), 'nobody asked for a drain');
    for (const effect of effects) {
      if (effect.kind !== 'nodeDrained') continue;
      const state = this.#draining.get(effect.nodeId);
      assert.equal(this.#incarnations.get(effect.nodeId), effect.incarnation, `${effect.nodeId} is not there to drain`);
      assert.equal(state?.drained, false, `${effect.nodeId} is called drained and does not drain, or was before`);
      state.drained = true;
    }
    for (const [nodeId, { drained }] of this.#draining) {
      const holds = [...this.#open.values()].some(({ places }) => places?.some((place) => place.nodeId === nodeId));
      assert.equal(drained, !holds, `${nodeId} drains, ${holds ? 'holds something' : 'holds nothing'}: ${drained}`);
    }
  }

  /** An order to drain is passed on where it asks for more than the node was told before. */
  #orderDrain(event: Extract<Event, { kind: 'nodeDraining' | 'nodeResumed' }>, effects: readonly Effect[]): void {
    const { nodeId, incarnation } = event;
    const stale = this.#incarnations.get(nodeId) !== incarnation;
    const told = effects.filter((effect) => effect.kind === 'drain');
    const before = this.#draining.get(nodeId);
    assert.equal(hasIgnored(effects, 'stale-node'), stale, `${nodeId} ${incarnation} is ${stale ? 'not ' : ''}there`);
    if (event.kind === 'nodeResumed') {
      assert.equal(hasIgnored(effects, 'not-draining'), !stale && before === undefined);
      assert.deepEqual(told, []);
      if (!stale) this.#draining.delete(nodeId);
      return;
    }
    const { handBack } = event;
    const more = before === undefined || (handBack && !before.handBack && !before.drained);
    assert.equal(hasIgnored(effects, 'already-draining'), !stale && !more);
    assert.deepEqual(told, !stale && more ? [{ kind: 'drain', nodeId, incarnation, handBack }] : []);
    if (!stale && more) this.#draining.set(nodeId, { handBack, drained: false });
  }

  #lose(nodeId: string): void {
    for (const { pulling } of this.#books.values()) pulling.delete(keyOf(nodeId, this.#incarnations.get(nodeId) ?? 0));
    this.#incarnations.delete(nodeId);
    this.#draining.delete(nodeId);
    for (const open of [...this.#open.values()]) {
      const place = open.places?.find((other) => other.nodeId === nodeId);
      if (place === undefined) continue;
      if (open.places?.length === 2) this.#letGoOf(open, place);
      else this.#close(open.attemptId);
    }
  }

  #close(attemptId: number): void {
    const { book, done, to, places } = this.#open.get(attemptId)!;
    this.#open.delete(attemptId);
    this.#cancelled.delete(`${attemptId}`);
    for (const { nodeId } of places ?? []) this.#cancelled.delete(`${attemptId} ${nodeId}`);
    this.#release(book, done, to);
  }

  #release(book: Book, from: number, to: number): void {
    for (let task = from; task < to; task++) {
      if (book.fates[task] === 'in flight') this.#change(book, task, task + 1, 'in flight', 'pending');
    }
  }

  #end(effect: Of<'runEnded'>): void {
    const book = this.#books.get(effect.runId)!;
    assert.equal(book.ended, undefined, `${effect.runId} ends twice`);
    book.ended = effect;
    const { tasks, pending, succeeded, failed, inFlight } = this.countsOf(effect.runId);
    assert.equal(inFlight, 0, `${effect.runId} ends with tasks in flight`);
    assert.deepEqual(effect.counts, { tasks, succeeded, failed, cancelled: pending, inFlight: 0, pending: 0 }); // I3
    const state = pending > 0 ? 'cancelled' : failed > 0 ? 'failed' : 'succeeded';
    assert.equal(effect.state, state);
    const alive = [...book.opened].filter((key) => this.#isAlive(key));
    const told = effect.nodes.map(({ nodeId, incarnation }) => keyOf(nodeId, incarnation));
    assert.deepEqual(told.sort(), alive.sort(), 'the nodes that hold something of the run are told of its end');
  }

  #isAlive(key: string): boolean {
    return [...this.#incarnations].some(([nodeId, incarnation]) => keyOf(nodeId, incarnation) === key);
  }

  #start({ runId }: Of<'runStarted'>): void {
    const book = this.#books.get(runId)!;
    assert.ok(!book.started, `${runId} starts twice`);
    book.started = true;
  }

  #assign(effect: Of<'assign'>): void {
    const { nodeId, incarnation, runId } = effect;
    const book = this.#books.get(runId)!;
    this.#assertServes(nodeId, incarnation);
    assert.ok(book.plan.queued !== true, `assigns a chunk of ${runId}, whose chunks are queued`);
    assert.equal(effect.open !== undefined, !book.opened.has(keyOf(nodeId, incarnation)), 'opens the run once a node');
    book.opened.add(keyOf(nodeId, incarnation));
    this.#handOut(book, { ...effect, book, done: effect.from, places: [{ nodeId, incarnation }], copies: 0 });
  }

  /** What is left of a chunk that one other node has, of a run with nothing else to hand out. */
  #copy({ nodeId, incarnation, runId, attemptId, from, to, open: order }: Of<'copy'>): void {
    const book = this.#books.get(runId)!;
    const open = this.#open.get(attemptId);
    this.#assertServes(nodeId, incarnation);
    assert.ok(book.plan.speculate === true && book.counts.pending === 0, `copies a chunk of ${runId}`);
    assert.ok(
      open?.runId === runId && !open.alone && open.copies < limits.copiesPerAttemptMax,
      `copies attempt ${attemptId}`,
    );
    assert.deepEqual([from, to], [open.done, open.to], `copies other tasks than are left of attempt ${attemptId}`);
    assert.ok(open.places?.length === 1 && open.places[0]!.nodeId !== nodeId, `copies attempt ${attemptId} to itself`);
    assert.equal(order !== undefined, !book.opened.has(keyOf(nodeId, incarnation)), 'opens the run once a node');
    book.opened.add(keyOf(nodeId, incarnation));
    open.places = [...open.places, { nodeId, incarnation }];
    open.copies++;
  }

  #publish(effect: Of<'publish'>): void {
    const { runId, alone } = effect;
    const book = this.#books.get(runId)!;
    assert.ok(book.plan.queued === true, `publishes a chunk of ${runId}, whose chunks are assigned`);
    assert.ok(book.pulling.size > 0, `publishes a chunk of ${runId} for nobody (I5)`);
    const beside = [...this.#open.values()].filter((held) => held.runId === runId);
    assert.ok(!alone || beside.length === 0, `publishes a suspect of ${runId} beside other chunks`);
    assert.ok(!beside.some((held) => held.alone), `publishes a chunk of ${runId} beside a suspect`);
    this.#handOut(book, { ...effect, book, done: effect.from, places: undefined, copies: 0 });
  }

  #pull({ nodeId, incarnation, runId }: Of<'pull'>): void {
    const { plan, opened, pulling, ended } = this.#books.get(runId)!;
    const key = keyOf(nodeId, incarnation);
    this.#assertServes(nodeId, incarnation);
    assert.ok(plan.queued === true && ended === undefined, `has ${nodeId} pull of ${runId}, where nothing is`);
    assert.ok(!pulling.has(key), `tells ${nodeId} twice to pull of ${runId}`);
    opened.add(key);
    pulling.add(key);
  }

  #stopPull({ nodeId, incarnation, runId }: Of<'stopPull'>): void {
    const key = keyOf(nodeId, incarnation);
    assert.ok(this.#books.get(runId)!.pulling.delete(key), `${nodeId} is to stop, and does not pull of ${runId}`);
  }

  /** I5: those who pull are there and do not drain. */
  #assertPullers(): void {
    for (const [nodeId, incarnation] of this.#incarnations) {
      if (!this.#draining.has(nodeId)) continue;
      for (const { plan, pulling, ended } of this.#books.values()) {
        const pulls = ended === undefined && pulling.has(keyOf(nodeId, incarnation));
        assert.ok(!pulls, `${nodeId} drains, and pulls of ${plan.runId} (I5)`);
      }
    }
  }

  #assertServes(nodeId: string, incarnation: number): void {
    assert.equal(this.#incarnations.get(nodeId), incarnation, `work for ${nodeId} ${incarnation}, not there (I5)`);
    assert.ok(!this.#draining.has(nodeId), `work for ${nodeId}, which drains (I5)`);
  }

  #handOut(book: Book, open: Open): void {
    const { attemptId, runId, done: from, to } = open;
    assert.ok(attemptId > this.#lastAttemptId, 'an attempt id is used twice');
    assert.ok(book.started && book.ended === undefined, `hands out a chunk of ${runId}, which is not under way`);
    assert.ok(from < to, 'an empty chunk');
    const crossed = Array.from(book.plan.inputCuts ?? []).filter((cut) => from < cut && cut < to);
    assert.deepEqual(crossed, [], `the chunk ${from}..${to} needs the inputs of more than one part (I1)`);
    this.#lastAttemptId = attemptId;
    this.#open.set(attemptId, open);
    this.#change(book, from, to, 'pending', 'in flight');
  }

  #change(book: Book, from: number, to: number, before: Fate, after: Fate): void {
    for (let task = from; task < to; task++) {
      assert.equal(book.fates[task], before, `task ${task} of ${book.plan.runId} becomes ${after}`);
      book.fates[task] = after;
    }
    book.counts[before] -= to - from;
    book.counts[after] += to - from;
  }
}

const isAt = (place: Place, { nodeId, incarnation }: Place): boolean =>
  place.nodeId === nodeId && place.incarnation === incarnation;

const keyOf = (nodeId: string, incarnation: number): string => `${nodeId} ${incarnation}`;

const hasIgnored = (effects: readonly Effect[], ...reasons: string[]): boolean =>
  effects.some((effect) => effect.kind === 'ignored' && reasons.includes(effect.reason));
