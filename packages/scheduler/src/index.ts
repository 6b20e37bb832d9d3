export type { Effect, EndState, IgnoreReason, RunCounts } from './effects.ts';
export type { AttemptEnd, Event, Loss, NodeOffer, RunPlan, Shape } from './events.ts';
export { explain, type Reason } from './explain.ts';
export { limits } from './limits.ts';
export { type PolicyName, policyNames } from './policy.ts';
export { Scheduler } from './scheduler.ts';
export { lanesOf } from './shape.ts';
export type { SchedulerSnapshot } from './snapshot.ts';
export type { RunState } from './transitions.ts';
