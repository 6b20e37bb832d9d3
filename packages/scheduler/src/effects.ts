/**
 * What the scheduler wants done. The caller carries effects out in the order given: what is committed is stored before
 * anything that follows from it is sent (persist before acknowledge). In each step what has come to pass (`commit`,
 * `giveUp`, `retry`, `runStopping`, `cancel`, `withdraw`, `runEnded`, `drain`, `stopPull`, `nodeDrained`, `ignored`) is
 * before what is to be started (`runStarted`, `assign`, `copy`, `pull`, `publish`), and `wake` is last. Nothing about a run
 * follows its `runEnded`.
 */
import type { Loss, Shape } from './events.ts';

export type EndState = 'succeeded' | 'failed' | 'cancelled';

export interface RunCounts {
  readonly tasks: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly inFlight: number;
  readonly pending: number;
}

export type IgnoreReason =
  /** The node is unknown, or this is not its current incarnation. */
  | 'stale-node'
  /** The attempt has ended: it was lost, stopped or completed before. */
  | 'fenced-attempt'
  /** The report does not follow on from the one before. */
  | 'out-of-order'
  /** The report speaks of tasks that the attempt does not have, or a number in it is none. */
  | 'malformed'
  | 'unknown-run'
  | 'already-stopping'
  /** The node drains, or has drained, and is asked for no more than before. */
  | 'already-draining'
  /** There is nothing to resume: the node serves. */
  | 'not-draining';

/** `let-go`: its node gave it back, for others' sake or its own; nothing died of it. */
export type RetryCause = 'failed' | 'lost' | 'let-go';

/** A chunk for a node. */
interface ToNode {
  readonly nodeId: string;
  readonly incarnation: number;
  readonly attemptId: number;
  readonly runId: string;
  readonly from: number;
  readonly to: number;
  readonly attempt: number;
  /** Set the first time that this node hears of the run: send it the run's order first. */
  readonly open: Shape | undefined;
}

export type Effect =
  | { readonly kind: 'runStarted'; readonly runId: string }
  /** Send this chunk. */
  | (ToNode & {
      readonly kind: 'assign';
      /** A suspect: the node is to keep it apart from all other work, of other runs too. */
      readonly alone: boolean;
    })
  /**
   * Send what is left of this chunk to a second node, too. Each of them may tell of the same tasks: what the other has told
   * before is to be cut off by the caller. What fails while both have it is to be told as let go: the other goes on.
   */
  | (ToNode & { readonly kind: 'copy' })
  /**
   * Send the node the order of this queued run, and let it pull chunks. Once for each time that it takes up its part in
   * the run: when it joins, when it takes another's place, when it resumes.
   */
  | {
      readonly kind: 'pull';
      readonly nodeId: string;
      readonly incarnation: number;
      readonly runId: string;
      readonly shape: Shape;
    }
  /** The node is to pull no more of this run. What it holds goes on, unless a `drain` says otherwise. */
  | { readonly kind: 'stopPull'; readonly nodeId: string; readonly incarnation: number; readonly runId: string }
  /** Put this chunk into the run's queue, for any of the nodes that were told to pull. */
  | {
      readonly kind: 'publish';
      readonly runId: string;
      readonly attemptId: number;
      readonly from: number;
      readonly to: number;
      readonly attempt: number;
      /** A suspect: nothing else of the run is in the queue or with a node until it ends. */
      readonly alone: boolean;
    }
  /** It will end without doing the rest: asked for, or past its deadline. */
  | { readonly kind: 'runStopping'; readonly runId: string; readonly reason: string }
  /** Stop this attempt; the node answers with a report that ends it. */
  | {
      readonly kind: 'cancel';
      readonly nodeId: string;
      readonly incarnation: number;
      readonly attemptId: number;
      /**
       * Set where the attempt ends at another place, and this one is fenced: which of the two this is, or neither, where
       * the other place has not done it but was the last that it could have.
       */
      readonly outrun?: 'first' | 'copy' | 'neither';
      readonly runId?: string;
    }
  /** Take all of these out of the run's queue and have them stopped where they are; answer each with a `stopped` report. */
  | { readonly kind: 'withdraw'; readonly runId: string; readonly attemptIds: readonly number[] }
  /**
   * Tasks [from, to) are committed with what the report in hand says of them, for ever (I2).
   * Emitted in the step of that report only.
   */
  | { readonly kind: 'commit'; readonly runId: string; readonly from: number; readonly to: number }
  /**
   * These tasks have no result and are tried no more. Without a `loss` they are part of a `commit` of this step, and
   * the report's failures say why. With one they are ended by this effect alone: no `commit` covers them.
   */
  | {
      readonly kind: 'giveUp';
      readonly runId: string;
      readonly from: number;
      readonly to: number;
      /** Where it went wrong. */
      readonly nodeId: string;
      readonly attempt: number;
      readonly loss: Loss | undefined;
    }
  | { readonly kind: 'retry'; readonly runId: string; readonly tasks: number; readonly because: RetryCause }
  | {
      readonly kind: 'runEnded';
      readonly runId: string;
      readonly state: EndState;
      readonly reason: string;
      readonly counts: RunCounts;
      /** Nodes that were sent something of the run, or told to pull, and are still there. */
      readonly nodes: readonly { readonly nodeId: string; readonly incarnation: number }[];
    }
  /**
   * Tell the node to hand back what it holds now and no lane has begun; with `handBack`, to stop what is at work too.
   * It answers with `stopped` reports. What it is sent later, after it has resumed, is not meant.
   */
  | { readonly kind: 'drain'; readonly nodeId: string; readonly incarnation: number; readonly handBack: boolean }
  /**
   * The node that drains holds nothing any more, and will be handed nothing until it resumes. Of chunks assigned to it
   * only: what it has pulled from queues only its caller knows, and that may still be at work.
   */
  | { readonly kind: 'nodeDrained'; readonly nodeId: string; readonly incarnation: number }
  /** Send a `tick` at this time. Replaces the time asked for before. */
  | { readonly kind: 'wake'; readonly at: number }
  | { readonly kind: 'ignored'; readonly reason: IgnoreReason; readonly runId: string | undefined };
