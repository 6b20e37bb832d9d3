/** What a run may ask for. Checked before anything is made for it; a client's own checks are a courtesy. */
import { RegattaError } from '@regatta/kernel';
import { policyNames, limits as schedulerLimits } from '@regatta/scheduler';
import { limits as politenessLimits } from '../politeness/limits.ts';
import { limits } from './limits.ts';
import type { RunRequest } from './run-record.ts';

/** @throws RegattaError BAD_RUN in one line: what is wrong and what is allowed */
export function admit(request: RunRequest): void {
  const { tasks, shape, nodes, chunk, retries, policy, taskTimeoutMs, deadlineMs } = request;
  whole('tasks', tasks, 1, schedulerLimits.tasksPerRunMax);
  whole('processes', shape.processes, 0, limits.shapeSideMax);
  whole('threads', shape.threads, 0, limits.shapeSideMax);
  whole('concurrency', shape.concurrency, 1, limits.concurrencyMax);
  const lanes = Math.max(1, shape.processes) * Math.max(1, shape.threads) * shape.concurrency;
  whole('processes × threads × concurrency', lanes, 1, schedulerLimits.lanesPerNodeMax);
  whole('nodes', nodes, 0, limits.shapeSideMax);
  whole('chunk', chunk, 0, schedulerLimits.chunkTasksMax);
  whole('retries', retries, 0, schedulerLimits.retriesPerTaskMax);
  if (!policyNames.includes(policy))
    throw bad(`policy ${JSON.stringify(shortened(policy))} is unknown; use ${policyNames.join(', ')}`);
  if (!['first', 'any', 'all'].includes(request.until))
    throw bad(`it waits until ${JSON.stringify(shortened(request.until))}; use first, any or all`);
  if (!['', 'grpc', 'nats'].includes(request.transport))
    throw bad(`transport ${JSON.stringify(shortened(request.transport))} is unknown; use grpc or nats`);
  plainParameters(request.paramsJson);
  names(request);
  duration('timeout', taskTimeoutMs);
  duration('deadline', deadlineMs);
  politeness(request);
}

/** Zeros ask for nothing. */
function politeness({ maxInFlightPerTarget, maxRatePerTarget }: RunRequest): void {
  const { inFlightSettableMax, ratePerSecondSettableMin: least, ratePerSecondSettableMax: most } = politenessLimits;
  whole('max in flight per target', maxInFlightPerTarget, 0, inFlightSettableMax);
  if (maxRatePerTarget === 0 || (maxRatePerTarget >= least && maxRatePerTarget <= most)) return;
  throw bad(`max rate per target is ${maxRatePerTarget}; give a number from ${least} to ${most} a second, or none`);
}

/** They are kept with the run and shown in every list of runs. */
function names({ workload, model }: RunRequest): void {
  if (workload === '' || workload.length > limits.nameCharactersMax) throw bad('it names no workload');
  if (!/^[a-z][a-z0-9-]*$/.test(workload))
    throw bad(`${JSON.stringify(workload)} names no workload; use lower case letters, digits and hyphens`);
  if (model.length > limits.nameCharactersMax || /\p{Cc}/u.test(model))
    throw bad(`its model's name is not one line of up to ${limits.nameCharactersMax} characters`);
}

/** An error travels in a header, and headers of more than 64 KiB end a connection. */
const shortened = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}…`.toWellFormed() : text);

function whole(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw bad(`${name} is ${value}; give a whole number from ${min} to ${max}`);
}

/** A node hands them to the workload as they are. */
function plainParameters(json: string): void {
  if (json.length > limits.paramsCharactersMax)
    throw bad(`its inputs are longer than ${limits.paramsCharactersMax} characters`);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw bad('its inputs are not JSON');
  }
  const plain = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!plain || !Object.values(value as object).every((one) => ['number', 'string', 'boolean'].includes(typeof one))) {
    throw bad('its inputs are not an object of numbers, strings and booleans');
  }
}

function duration(name: string, ms: number): void {
  if (ms >= 0 && ms <= limits.durationMsMax) return;
  throw bad(`${name} is ${ms} ms; give a time up to 24 days, or none`);
}

const bad = (message: string): RegattaError => new RegattaError('BAD_RUN', message);
