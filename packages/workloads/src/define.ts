/**
 * What a workload is, and the one way to write one: `defineWorkload({ ... })`.
 *
 * A workload is code with three parts: how many tasks its parameters ask for, what one task does, and how the results
 * combine. Tasks know nothing of processes, threads or hosts; that is the point: the same code runs under every model.
 *
 * - W1: `run` is a function of (params, task, input, shared) alone, so that a task run twice gives one answer. What a
 *   task measures is left out of that by `comparable`.
 * - W2: `tasks`, `inputs`, `combine` and `comparable` run with the client, `run` and `shared` run in a host process.
 *   `target` may be asked on either side. Neither the coordinator's nor the agent's own process ever calls any of them.
 */

/** One parameter: what `--set name=value` may give. */
export interface Parameter<T = unknown> {
  /** Used when none is given; its type is the parameter's type. */
  readonly default: T;
  /** In plain words, for `regatta workloads` and `--help`. */
  readonly description: string;
  /** "ms", "bytes", "tasks", ...; empty where there is none. */
  readonly unit?: string;
  /** Bounds of a number, inclusive. */
  readonly min?: number;
  readonly max?: number;
  /** A number that must be whole. */
  readonly integer?: boolean;
}

// The least wide of types that still lets each parameter keep its own.
type ParameterValue = number | string | boolean;
export type Parameters = Readonly<Record<string, ParameterValue>>;

/** What a task may use of the place where it runs. */
export interface TaskContext<Shared = undefined, Input = undefined> {
  /** The task's index, 0..N-1. */
  readonly task: number;
  /** 1 for the first try. */
  readonly attempt: number;
  /** Fires when the run is cancelled or the task's time is up. Tasks that wait should listen. */
  readonly signal: AbortSignal;
  /** What `shared` made, in this host process. */
  readonly shared: Shared;
  /** What `inputs` gave for this task. */
  readonly input: Input;
}

export interface WorkloadDefinition<P extends Parameters, Result, Combined, Shared, Input = undefined> {
  /** How people name it: lower case and hyphens. */
  readonly name: string;
  /** `cpu`: a task computes. `io`: a task mostly waits. */
  readonly kind: 'cpu' | 'io';
  /** One line: what a task does, its inputs, its outputs. */
  readonly summary: string;
  readonly parameters: { readonly [K in keyof P]: Parameter<P[K]> };
  /** How many tasks these parameters ask for. */
  tasks(params: P): number;
  /**
   * Data that goes with each task: read by the client, in task order, one for each, and sent along. Without it tasks
   * know their parameters and index alone, and nothing is sent: prefer that where an input can be derived.
   * Each must be structured-cloneable.
   */
  inputs?(params: P): Iterable<Input>;
  /**
   * What a task talks to, such as `example.org:443`: the cluster limits how many tasks talk to one target at a time,
   * and how fast they follow each other. Undefined where there is nobody to be polite to. Cheap, and a function of its
   * arguments alone. Printed and counted by, so it holds no password.
   */
  target?(params: P, input: Input, task: number): string | undefined;
  /**
   * Data that all tasks of a run read and none writes, made once in each host process and seen by all its threads.
   * Put it in a SharedArrayBuffer: anything else is copied into every thread.
   */
  shared?(params: P): Shared;
  /** One task. What it returns must be structured-cloneable. */
  run(params: P, context: TaskContext<Shared, Input>): Result | Promise<Result>;
  /**
   * What of a result is the same however, wherever and whenever its task ran; without it, all of it is. For results that
   * also tell times: a race compares the models by this, and `combine` gets the whole.
   */
  comparable?(result: Result): unknown;
  /**
   * All results, in task order, into one. Failed tasks are left out. Reads the iterable once.
   * What it returns is printed as JSON.
   */
  combine(results: Iterable<TaskResult<Result>>, params: P): Combined;
  /**
   * A file made of the same results, for `--out`: its bytes. For what does not suit JSON, such as an image.
   * Reads the iterable once; `combine` has had one of its own.
   */
  file?(results: Iterable<TaskResult<Result>>, params: P): Uint8Array;
}

export interface TaskResult<Result> {
  readonly task: number;
  readonly value: Result;
}

/** A workload whose own types are forgotten: what a registry holds. */
// biome-ignore lint/suspicious/noExplicitAny: a registry holds workloads of every type; each is typed where it is written
export type Workload = WorkloadDefinition<any, any, any, any, any>;

type Widened<T> = T extends number ? number : T extends string ? string : T extends boolean ? boolean : never;

/**
 * Declares a workload; the types of parameters, results and shared data are inferred from it.
 * @throws TypeError where the name is not lower case letters, digits and hyphens
 */
export function defineWorkload<
  const Declared extends Readonly<Record<string, Parameter<ParameterValue>>>,
  Result,
  Combined,
  Shared = undefined,
  Input = undefined,
>(
  definition: Omit<
    WorkloadDefinition<{ [K in keyof Declared]: Widened<Declared[K]['default']> }, Result, Combined, Shared, Input>,
    'parameters'
  > & { readonly parameters: Declared },
): WorkloadDefinition<{ [K in keyof Declared]: Widened<Declared[K]['default']> }, Result, Combined, Shared, Input> {
  if (!/^[a-z][a-z0-9-]*$/.test(definition.name)) {
    throw new TypeError(`workload name ${JSON.stringify(definition.name)}: use lower case letters, digits and hyphens`);
  }
  return definition as never;
}
