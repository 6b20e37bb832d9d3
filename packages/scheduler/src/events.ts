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
  | { readonly kind: 'nodeLost'; readonly nodeId: string; readonly incarnation: number; readonly reason: string }
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
      readonly nodeId: string;
      readonly incarnation: number;
      readonly attemptId: number;
      readonly from: number;
      readonly to: number;
      readonly failed: readonly number[];
      /** Time a lane spent on [from, to), in ms. */
      readonly busyMs: number;
      /** Bytes of their results. */
      readonly bytes: number;
      readonly end: AttemptEnd;
    }
  /** The time that the last `wake` effect asked for has come. */
  | { readonly kind: 'tick' };
