/** The options that say what to run and how, and the run they ask for. */
import { RegattaError } from '@regatta/kernel';
import { type PolicyName, policyNames, limits as schedulerLimits } from '@regatta/scheduler';
import { builtinWorkloads, findWorkload, type Parameters, resolveParameters, type Workload } from '@regatta/workloads';
import { type Command, Option } from 'commander';
import { admit } from '../engine/admission.ts';
import { limits } from '../engine/limits.ts';
import { limits as politenessLimits } from '../politeness/limits.ts';
import { isPolite } from '../politeness/politeness.ts';
import { defaultModel, type ModelName, modelNames, shapeOf } from './models.ts';
import { duration, positiveNumber, setting, wholeNumber } from './options.ts';
import type { RunSpec } from './views.ts';

/** Towards what the tasks talk to. */
export interface PolitenessOptions {
  readonly maxInFlightPerTarget?: number;
  /** A second. */
  readonly maxRatePerTarget?: number;
}

export interface RunOptions extends PolitenessOptions {
  readonly model?: ModelName;
  readonly processes?: number;
  readonly threads?: number;
  readonly concurrency?: number;
  readonly nodes?: number;
  readonly policy: PolicyName;
  readonly chunk?: number;
  readonly retries: number;
  readonly transport?: RunSpec['transport'];
  readonly until?: RunSpec['until'];
  /** Of a task, in ms. */
  readonly timeout?: number;
  /** Of the run, in ms. */
  readonly deadline?: number;
  readonly speculate?: boolean;
  readonly set?: Readonly<Record<string, string>>;
}

export function addPolitenessOptions(command: Command): Command {
  const { inFlightSettableMax, ratePerSecondSettableMin, ratePerSecondSettableMax } = politenessLimits;
  return command
    .option(
      '--max-in-flight-per-target <n>',
      'tasks that talk to one target (a host, a database) at a time, over all nodes',
      wholeNumber(1, inFlightSettableMax),
    )
    .option(
      '--max-rate-per-target <n>',
      'tasks a second that begin to talk to one target, over all nodes; 0.5 is one in two seconds',
      positiveNumber(ratePerSecondSettableMin, ratePerSecondSettableMax),
    );
}

export function addRunOptions(command: Command): Command {
  const side = wholeNumber(1, limits.shapeSideMax);
  return addPolitenessOptions(command)
    .addOption(new Option('--model <name>', 'how a node works; default: by the kind of workload').choices(modelNames))
    .option('--processes <n>', 'host processes a node (default: its share of cores)', side)
    .option('--threads <n>', 'threads a process (default: its share of cores)', side)
    .option('--concurrency <n>', 'tasks in flight a thread', wholeNumber(1, limits.concurrencyMax))
    .option('--nodes <n>', 'use at most so many nodes (default: all)', side)
    .addOption(new Option('--policy <name>', 'how chunk sizes are chosen').choices(policyNames).default('awf'))
    .option('--chunk <n>', 'tasks in a chunk; for awf an upper bound', wholeNumber(1, schedulerLimits.chunkTasksMax))
    .option(
      '--retries <n>',
      'times that a failed task is tried again',
      wholeNumber(0, schedulerLimits.retriesPerTaskMax),
      0,
    )
    .addOption(
      new Option('--transport <name>', 'how chunks reach nodes; default: nats for I/O where there is one').choices([
        'grpc',
        'nats',
      ]),
    )
    .addOption(
      new Option('--until <which>', 'end with the first task that ends, with any that succeeds, or with all')
        .choices(['first', 'any', 'all'])
        .default('all'),
    )
    .option('--speculate', 'let idle lanes do slow chunks as well; the first result counts, so tasks may run twice')
    .option('--timeout <time>', 'for one task: 500ms, 5s, 2m; a bare number is seconds', duration)
    .option('--deadline <time>', 'for the whole run, likewise', duration)
    .option('--set <name=value>', "one of the workload's inputs; repeat for more", setting);
}

export interface PlannedRun {
  readonly workload: Workload;
  readonly params: Parameters;
  readonly spec: RunSpec;
}

/** @throws RegattaError in one line where the workload, its inputs or the shape make no sense */
export function planRun(name: string, options: RunOptions): PlannedRun {
  const workload = knownWorkload(name);
  const params = resolveParameters(workload, options.set ?? {});
  const { kind } = workload;
  const { processes, threads, concurrency } = options;
  const widths = {
    ...(processes !== undefined && { processes }),
    ...(threads !== undefined && { threads }),
    ...(concurrency !== undefined && { concurrency }),
  };
  const model = options.model ?? (Object.keys(widths).length > 1 ? 'hybrid' : impliedModel(widths, kind));
  const spec: RunSpec = {
    workload: name,
    kind,
    paramsJson: JSON.stringify(params),
    tasks: workload.tasks(params),
    model,
    shape: shapeOf(model, kind, widths),
    nodes: options.nodes ?? 0,
    policy: options.policy,
    chunk: options.chunk ?? 0,
    retries: options.retries,
    taskTimeoutMs: options.timeout ?? 0,
    deadlineMs: options.deadline ?? 0,
    transport: options.transport ?? '',
    speculate: options.speculate === true,
    until: options.until ?? 'all',
    maxInFlightPerTarget: options.maxInFlightPerTarget ?? 0,
    maxRatePerTarget: options.maxRatePerTarget ?? 0,
  };
  // The coordinator says the same, but only once there is one.
  admit(spec);
  // It knows no workload from inside.
  if (isPolite(spec) && workload.target === undefined)
    throw new RegattaError('NO_TARGET', `the tasks of ${name} talk to no target: leave out --max-…-per-target`);
  return { workload, params, spec };
}

/** `--threads 4` alone can only mean the threads model. */
function impliedModel(widths: object, kind: 'cpu' | 'io'): ModelName {
  if ('threads' in widths) return 'threads';
  if ('concurrency' in widths) return 'async';
  return 'processes' in widths ? 'processes' : defaultModel(kind);
}

/** @throws RegattaError NO_SUCH_WORKLOAD that names those there are */
function knownWorkload(name: string): Workload {
  const workload = findWorkload(name);
  if (workload !== undefined) return workload;
  const known = builtinWorkloads.map((w) => w.name).join(', ');
  throw new RegattaError('NO_SUCH_WORKLOAD', `no workload ${JSON.stringify(name)}; there are: ${known}`);
}
