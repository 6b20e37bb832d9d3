/**
 * A cluster whose nodes tell the truth and whose tasks do not all behave: a `deadly` one kills the host process of
 * whatever attempt runs it, and all at work beside it; a `stuck` one never ends, until its node times it out and names it.
 * Nodes come, go and drain as they like, but no chunk is lost with its node so often that its tasks are suspected.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Effect } from '../effects.ts';
import type { RunPlan } from '../events.ts';
import { limits } from '../limits.ts';
import { ModelCluster, type Order } from './model-cluster.ts';

const NODE_IDS = ['a', 'b', 'c'];

/** Who is told to have killed a host process: all that it took; the one that did; any, by its number. */
type Blame = 'each' | 'killer' | number;

export type Command =
  | { readonly do: 'work'; readonly order: number; readonly tenths: number; readonly blame: Blame }
  | { readonly do: 'time-out'; readonly order: number }
  | { readonly do: 'join'; readonly node: number; readonly cores: number }
  | { readonly do: 'lose'; readonly node: number }
  | { readonly do: 'drain'; readonly node: number; readonly handBack: boolean }
  | { readonly do: 'resume'; readonly node: number }
  | { readonly do: 'obey'; readonly node: number }
  | { readonly do: 'pass'; readonly ms: number };

const node = fc.nat(NODE_IDS.length - 1);
const order = fc.nat(50);
const blame = fc.oneof(fc.constantFrom<Blame>('each', 'killer'), fc.nat(8));
const work = fc.record({ do: fc.constant('work' as const), order, tenths: fc.integer({ min: 1, max: 10 }), blame });

export const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  { weight: 20, arbitrary: work },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('time-out' as const), order }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('join' as const), node, cores: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lose' as const), node }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('drain' as const), node, handBack: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('resume' as const), node }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('obey' as const), node }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 200 }) }) },
);

export class PoisonedCluster {
  readonly cluster = new ModelCluster();
  readonly deadly: ReadonlySet<number>;
  readonly stuck: ReadonlySet<number>;
  /** By deadly task: tasks in the first chunk that it was in, and how often the attempt it was in has died. */
  readonly firstChunk = new Map<number, number>();
  readonly deaths = new Map<number, number>();
  readonly givenUp: number[] = [];
  #nodesLost = 0;

  constructor(deadly: readonly number[], stuck: readonly number[]) {
    this.deadly = new Set(deadly);
    this.stuck = new Set(stuck);
  }

  submit(plan: Partial<RunPlan>): void {
    this.#note(this.cluster.submit('r1', plan));
  }

  carryOut(command: Command): void {
    const { cluster } = this;
    switch (command.do) {
      case 'work': {
        const atWork = NODE_IDS.flatMap((id) => cluster.atWork(id)).filter(({ hangs }) => !hangs);
        const chosen = atWork[command.order % Math.max(1, atWork.length)];
        if (chosen !== undefined) this.#work(chosen, command.tenths, command.blame);
        return;
      }
      case 'time-out': {
        const hanging = cluster.held().filter(({ hangs }) => hangs);
        const chosen = hanging[command.order % Math.max(1, hanging.length)];
        if (chosen !== undefined) this.#note(cluster.die(chosen, chosen.done));
        return;
      }
      case 'join':
        if (cluster.isAlive(NODE_IDS[command.node]!) && !this.#mayLose()) return;
        return this.#note(cluster.join(NODE_IDS[command.node]!, { cores: command.cores }));
      case 'lose':
        if (cluster.isAlive(NODE_IDS[command.node]!) && this.#mayLose())
          this.#note(cluster.lose(NODE_IDS[command.node]!));
        return;
      case 'drain':
        return this.#note(cluster.drain(NODE_IDS[command.node]!, command.handBack));
      case 'resume':
        return this.#note(cluster.resume(NODE_IDS[command.node]!));
      case 'obey':
        for (const order of cluster.held(NODE_IDS[command.node])) if (order.recalled) this.#note(cluster.letGo(order));
        return;
      case 'pass':
        return this.#note(cluster.pass(command.ms));
    }
  }

  /** Nodes and orders change no more; a node is there that does what there is to do. */
  settle(stepsMax: number): void {
    const { cluster } = this;
    this.#note(cluster.join('healthy', { cores: 2 }));
    for (let steps = 0; cluster.scheduler.runs.size > 0; steps++) {
      assert.ok(steps < stepsMax, `not done after ${stepsMax} steps`);
      const [order] = cluster.held();
      if (order === undefined) this.#note(cluster.pass(limits.retryBackoffMsMax));
      else if (order.recalled) this.#note(cluster.letGo(order));
      else if (order.hangs) this.#note(cluster.die(order, order.done));
      else this.#work(order, 10, steps % 3 === 0 ? 'killer' : 'each');
    }
  }

  /** Does some of what is left, up to the first task that does not let it go on. */
  #work(order: Order, tenths: number, blame: Blame): void {
    const to = order.done + Math.max(1, Math.floor(((order.to - order.done) * tenths) / 10));
    for (let task = order.done; task < to; task++) {
      if (this.stuck.has(task)) {
        this.#progressTo(order, task);
        order.hangs = true;
        return;
      }
      if (this.deadly.has(task)) {
        this.#progressTo(order, task);
        return this.#kill(order, blame);
      }
    }
    if (to === order.to) this.#note(this.cluster.complete(order));
    else this.#progressTo(order, to);
  }

  #progressTo(order: Order, task: number): void {
    if (task > order.done) this.#note(this.cluster.progress(order, task));
  }

  /** The host process goes, and with it all that the node is at work on. */
  #kill(killer: Order, blame: Blame): void {
    const { cluster } = this;
    const taken = [killer, ...cluster.atWork(killer.nodeId).filter((order) => order !== killer)];
    const blamed = typeof blame === 'number' ? taken[blame % taken.length] : killer;
    // What the scheduler hands out meanwhile is not among them: that is for the next host process.
    for (const order of taken) {
      if (blame !== 'each' && order !== blamed) this.#note(cluster.letGo(order));
      else {
        for (const task of this.deadly) if (task >= order.done && task < order.to) add(this.deaths, task);
        this.#note(cluster.die(order));
      }
    }
  }

  #mayLose(): boolean {
    return ++this.#nodesLost <= limits.nodeLossesPerChunkMax;
  }

  #note(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'giveUp') for (let task = effect.from; task < effect.to; task++) this.givenUp.push(task);
      if (effect.kind !== 'assign' && effect.kind !== 'publish') continue;
      for (const task of this.deadly) {
        const first = task >= effect.from && task < effect.to && !this.firstChunk.has(task);
        if (first) this.firstChunk.set(task, effect.to - effect.from);
      }
    }
  }
}

const add = (counts: Map<number, number>, key: number): void => void counts.set(key, (counts.get(key) ?? 0) + 1);
