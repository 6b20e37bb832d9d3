/** What happens to the scheduler. Plain data: a list of these, with their times, is a recorded run (I8). */
import type { PolicyName } from './policy.ts';

/** A width; zero in `processes` or `threads` means "as many as the node's share of cores". */
export interface Shape {
  readonly processes: number;
  readonly threads: number;
  readonly concurrency: number;
}

export interface RunPlan {
  readonly runId: string;
  readonly workload: string;
  /** 1..tasksPerRunMax */
  readonly tasks: number;
  readonly shape: Shape;
  /** At most so many nodes; 0 for all. */
  readonly nodes: number;
  readonly policy: PolicyName;
  /** Tasks in a chunk for `static` and `self`, an upper bound for `awf`; 0 for the policy's own choice. */
  readonly chunk: number;
  /** How often a failed task is tried again. */
  readonly retries: number;
  /** From submission, in ms; 0 for none. */
  readonly deadlineMs: number;
  /**
   * Ascending tasks, from 1 to tasks - 1, each the first of another part of the run's input. A chunk is sent the inputs
   * of its own part only, so no chunk crosses a cut. Kept as it is, not copied: it is not to change afterwards.
   */
  readonly inputCuts?: ArrayLike<number>;
  /** Idle lanes may do chunks that others take long over, as well. By default they may not. Not of a queued run. */
  readonly speculate?: boolean;
  /** Its chunks go to a queue that its nodes pull from, instead of to the nodes themselves. By default they do not. */
  readonly queued?: boolean;
}

export interface NodeOffer {
  readonly id: string;
  /** Grows with each connection of this node. */
  readonly incarnation: number;
  /** Equal for nodes that share the same cores. */
  readonly machine: string;
  readonly cores: number;
  readonly workloads: readonly string[];
}

export interface Loss {
  readonly code: string;
  readonly message: string;
  /** The one task known to have caused it. */
  readonly culprit?: number;
}

/** How an attempt ended; `open` where it goes on. */
export type AttemptEnd =
  | { readonly kind: 'open' }
  | { readonly kind: 'completed' }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'lost'; readonly loss: Loss };

export type Event =
  | { readonly kind: 'runSubmitted'; readonly plan: RunPlan }
  | { readonly kind: 'runStopped'; readonly runId: string; readonly reason: string }
  | { readonly kind: 'nodeJoined'; readonly node: NodeOffer }
  | {
      readonly kind: 'nodeLost';
      readonly nodeId: string;
      readonly incarnation: number;
      readonly reason: string;
      /** It went on purpose: what it may still hold was let go of. */
      readonly left?: true;
    }
  /**
   * The node is to be handed nothing more. With `handBack` it is to let go of what it is at work on as well; asked for
   * later, this goes beyond a drain without.
   */
  | {
      readonly kind: 'nodeDraining';
      readonly nodeId: string;
      readonly incarnation: number;
      readonly handBack: boolean;
    }
  /** A node that drains, or has drained, serves again. */
  | { readonly kind: 'nodeResumed'; readonly nodeId: string; readonly incarnation: number }
  | {
      /** Tasks [from, to) of an attempt are done, those of `failed` (ascending) without success. */
      readonly kind: 'attemptReported';
      /** Who did it: the node that was assigned the attempt, or whoever has pulled it, still there or not. */
      readonly nodeId: string;
      readonly incarnation: number;
      /**
       * Set where the attempt was pulled from this run's queue. Several nodes may have done it, one after another or at
       * once: what one says again that another has said before is cut off by the caller.
       */
      readonly runId?: string;
      readonly attemptId: number;
      readonly from: number;
      readonly to: number;
      readonly failed: readonly number[];
      /** For each of `failed`: at least so long, in ms, it is not to be tried again; 0 where nothing was said of it. */
      readonly retryAfterMs?: readonly number[];
      /** Time a lane spent on [from, to), in ms. */
      readonly busyMs: number;
      /** Bytes of their results. */
      readonly bytes: number;
      readonly end: AttemptEnd;
    }
  /** The time that the last `wake` effect asked for has come. */
  | { readonly kind: 'tick' }
  /**
   * A new coordinator has taken over the books of one that is gone, which may have handed out attempts after the last
   * event that it recorded: attempts from now on have ids that none of those can have.
   */
  | { readonly kind: 'recovered' };
