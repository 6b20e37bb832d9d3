/**
 * Which state follows on which event, for runs, attempts and nodes. The compiler refuses a table with a cell missing.
 * An `impossible` cell is a bug and throws; an `ignored` one is late news.
 */
import { InvariantError } from '@regatta/kernel';

export type RunState = 'waiting' | 'running' | 'stopping' | 'succeeded' | 'failed' | 'cancelled';
type RunTrigger = 'dispatched' | 'stopRequested' | 'allSucceeded' | 'someFailed' | 'drained';

export const runTable = {
  waiting: {
    dispatched: 'running',
    stopRequested: 'stopping',
    allSucceeded: 'impossible',
    someFailed: 'impossible',
    drained: 'impossible',
  },
  running: {
    dispatched: 'running',
    stopRequested: 'stopping',
    allSucceeded: 'succeeded',
    someFailed: 'failed',
    drained: 'impossible',
  },
  // Work that was done before the order to stop arrived still counts: a run may end well while stopping.
  stopping: {
    dispatched: 'impossible',
    stopRequested: 'ignored',
    allSucceeded: 'succeeded',
    someFailed: 'failed',
    drained: 'cancelled',
  },
  succeeded: {
    dispatched: 'impossible',
    stopRequested: 'ignored',
    allSucceeded: 'impossible',
    someFailed: 'impossible',
    drained: 'impossible',
  },
  failed: {
    dispatched: 'impossible',
    stopRequested: 'ignored',
    allSucceeded: 'impossible',
    someFailed: 'impossible',
    drained: 'impossible',
  },
  cancelled: {
    dispatched: 'impossible',
    stopRequested: 'ignored',
    allSucceeded: 'impossible',
    someFailed: 'impossible',
    drained: 'impossible',
  },
} as const satisfies Record<RunState, Record<RunTrigger, RunState | 'ignored' | 'impossible'>>;

export type AttemptState = 'running' | 'stopping' | 'ended';
type AttemptTrigger = 'progressed' | 'completed' | 'stopped' | 'lost' | 'stopRequested';

export const attemptTable = {
  // A node may stop an attempt unasked: it is shutting down. What is left of the chunk goes elsewhere.
  running: { progressed: 'running', completed: 'ended', stopped: 'ended', lost: 'ended', stopRequested: 'stopping' },
  stopping: { progressed: 'stopping', completed: 'ended', stopped: 'ended', lost: 'ended', stopRequested: 'ignored' },
  // An ended attempt is forgotten at once, so no news can reach it: reports about it are fenced before this table.
  ended: {
    progressed: 'impossible',
    completed: 'impossible',
    stopped: 'impossible',
    lost: 'impossible',
    stopRequested: 'impossible',
  },
} as const satisfies Record<AttemptState, Record<AttemptTrigger, AttemptState | 'ignored' | 'impossible'>>;

/** Whether a node is handed anything. One that is lost is forgotten; its next incarnation starts out as `serving`. */
export type NodeState = 'serving' | 'draining' | 'handingBack' | 'drained';
type NodeTrigger = 'drainAsked' | 'handBackAsked' | 'emptied' | 'resumed';

export const nodeTable = {
  serving: { drainAsked: 'draining', handBackAsked: 'handingBack', emptied: 'impossible', resumed: 'ignored' },
  // Whoever finds that waiting takes too long can still ask for all of it.
  draining: { drainAsked: 'ignored', handBackAsked: 'handingBack', emptied: 'drained', resumed: 'serving' },
  // What was asked for goes beyond a plain drain, and cannot be taken back: the node may have obeyed.
  handingBack: { drainAsked: 'ignored', handBackAsked: 'ignored', emptied: 'drained', resumed: 'serving' },
  drained: { drainAsked: 'ignored', handBackAsked: 'ignored', emptied: 'impossible', resumed: 'serving' },
} as const satisfies Record<NodeState, Record<NodeTrigger, NodeState | 'ignored' | 'impossible'>>;

/** The run's next state. @throws InvariantError where the table says `impossible` */
export function nextRunState(state: RunState, trigger: RunTrigger): RunState {
  return follow(state, runTable[state][trigger], trigger);
}

/** The attempt's next state. @throws InvariantError where the table says `impossible` */
export function nextAttemptState(state: AttemptState, trigger: AttemptTrigger): AttemptState {
  return follow(state, attemptTable[state][trigger], trigger);
}

/** The node's next state. @throws InvariantError where the table says `impossible` */
export function nextNodeState(state: NodeState, trigger: NodeTrigger): NodeState {
  return follow(state, nodeTable[state][trigger], trigger);
}

function follow<S extends string>(state: S, next: S | 'ignored' | 'impossible', trigger: string): S {
  if (next === 'impossible') throw new InvariantError(`${state} cannot be ${trigger}`);
  return next === 'ignored' ? state : (next as S);
}
