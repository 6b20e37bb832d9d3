/**
 * Between the node link's wire types and the engine's own. A node is another process, perhaps somebody else's: what
 * cannot be so is refused, what is only measured or said is cut to size. What passes here can be stored, added up and
 * told to any client.
 */

import { isIPv4, isIPv6 } from 'node:net';
import { isBeyondLoopback } from '@regatta/access';
import type { LimitView } from '@regatta/kernel';
import {
  type Demand,
  type Heartbeat,
  type Hello,
  type LateFailure as WireLateFailure,
  type Outcome as WireOutcome,
  type Permits as WirePermits,
  Timing as WireTiming,
} from '@regatta/proto/node';
import { negotiate } from '@regatta/proto/version';
import type { Limit, Workload } from '@regatta/proto/workload';
import { emptyEntries, packCount } from '@regatta/workloads';
import type { Outcome, Timing } from '../engine/bookkeeping.ts';
import type { Introduction, Machine, Pulse, WorkloadCard } from '../engine/fleet.ts';
import { limits } from '../engine/limits.ts';
import type { Leftovers } from '../engine/revival.ts';
import type { LateFailure } from '../engine/run-record.ts';
import type { NodeOrders } from '../politeness/book.ts';
import { limits as politenessLimits } from '../politeness/limits.ts';
import type { NodeDemand } from '../politeness/politeness.ts';

/** @throws Error in one line where something that a node must say is missing */
export function introductionOf(hello: Hello, address: string): Introduction {
  const { nodeId, machine, workloads, runtime, version, pid, instance } = hello;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(nodeId))
    throw new Error('its name is not 1 to 63 letters, digits, . _ -');
  if (machine === undefined || !(machine.cores >= 1 && machine.cores <= limits.coresPerNodeMax))
    throw new Error('it tells no machine');
  if (workloads.length > limits.workloadsPerNodeMax)
    throw new Error(`it offers more than ${limits.workloadsPerNodeMax} workloads`);
  return {
    nodeId,
    machine: machineOf(machine),
    workloads: workloads.map(cardOf),
    runtime: label(runtime),
    version: label(version),
    pid,
    instance: label(instance),
    address,
    metricsAddress: metricsAddressOf(hello.metricsAddress, address),
    protocol: negotiate({ min: hello.protocolMin, max: hello.protocolMax }) ?? 0,
    pulls: hello.pulls.slice(0, limits.pullsPerNodeMax).map((runId) => label(runId)),
    limits: hello.limits.slice(0, limits.limitsPerNodeMax).map(limitOf),
  };
}

/**
 * It is told to Prometheus as it is: what is no address is none, and neither is a loopback that is not this machine's.
 * @param from where the node's connection comes from, HOST:PORT
 */
function metricsAddressOf(text: string, from: string): string {
  if (!isHostAndPort(text)) return '';
  // gRPC tells a peer's IPv6 address without brackets.
  const peer = from.replace(/^([^[].*:.*)(:\d+)$/, '[$1]$2');
  return !isBeyondLoopback(text) && isBeyondLoopback(peer) ? '' : text;
}

/** NAME:PORT, IPV4:PORT or [IPV6]:PORT. */
function isHostAndPort(text: string): boolean {
  const [, six, name, port] = /^(?:\[([^\]%]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  if (port === undefined || Number(port) < 1 || Number(port) > 65_535) return false;
  if (six !== undefined) return isIPv6(six);
  // What is all digits and dots is an address, or nothing.
  if (/^[\d.]+$/.test(name!)) return isIPv4(name!);
  return name!.length <= 253 && name!.split('.').every((label) => /^(?!-)[A-Za-z0-9_-]{1,63}(?<!-)$/.test(label));
}

/** What it says that it still has of an earlier connection. */
export const leftoversOf = ({ resume }: Hello): Leftovers | undefined => resume;

const machineOf = (machine: Machine): Machine => ({
  ...machine,
  id: label(machine.id),
  hostname: label(machine.hostname),
  quotaCores: amount(machine.quotaCores, limits.coresPerNodeMax),
});

function cardOf({ name, kind, summary, parameters }: Workload): WorkloadCard {
  if (!/^[a-z][a-z0-9-]*$/.test(name) || name.length > limits.nameCharactersMax)
    throw new Error('it offers a workload whose name is not lower case letters, digits and hyphens');
  if (parameters.length > limits.parametersPerWorkloadMax)
    throw new Error(`its workload ${name} takes more than ${limits.parametersPerWorkloadMax} parameters`);
  return {
    name,
    kind: kind === 2 ? 'io' : 'cpu',
    summary: label(summary, limits.messageCharactersMax),
    parameters: parameters.map((parameter) => ({
      name: label(parameter.name),
      type: label(parameter.type),
      defaultJson: cut(parameter.defaultJson, limits.messageCharactersMax),
      unit: label(parameter.unit),
      description: label(parameter.description, limits.messageCharactersMax),
    })),
  };
}

const limitOf = ({ name, value, unit, description }: Limit): LimitView => ({
  name: label(name),
  value: amount(value, Number.MAX_SAFE_INTEGER),
  unit: label(unit),
  description: label(description),
});

/** One line for tables: what would move a terminal's cursor is taken out. */
const label = (text: string, charactersMax: number = limits.nameCharactersMax): string =>
  cut(text, charactersMax).replaceAll(/\p{Cc}/gu, '\ufffd');

/** A copy, so that it does not keep the whole alive; and one that ends between characters. */
const cut = (text: string, charactersMax: number): string =>
  text.length <= charactersMax ? text : Buffer.from(`${text.slice(0, charactersMax - 1)}…`).toString();

/** What a node has measured: no NaN and nothing endless gets into a sum. */
const amount = (value: number, max: number): number => (value > 0 ? Math.min(value, max) : 0);

export const pulseOf = ({
  rssBytes,
  hosts,
  throttledMs,
  pulled,
  queueComplaint,
  wallMs,
  roundTripMs,
}: Heartbeat): Pulse => ({
  rssBytes: amount(rssBytes, limits.hostRssBytesMax),
  hosts,
  throttledMs: amount(throttledMs, limits.measuredMsMax),
  pulled,
  queueComplaint: label(queueComplaint, limits.messageCharactersMax),
  wallMs: amount(wallMs, Number.MAX_SAFE_INTEGER),
  roundTripMs: amount(roundTripMs, limits.measuredMsMax),
});

export const lateFailureOf = ({ runId, task, message, stack }: WireLateFailure): LateFailure => ({
  runId,
  task,
  message: cut(message, limits.messageCharactersMax),
  stack: cut(stack, limits.stackCharactersMax),
});

export const demandOf = ({ heard, targets }: Demand): NodeDemand => ({
  heard,
  targets: targets.map(({ runId, target, waiting, held, pauseMs }) => ({
    runId: label(runId),
    target: label(target, politenessLimits.targetCharactersMax),
    waiting: amount(waiting, politenessLimits.targetsPerNodeMax),
    held: amount(held, politenessLimits.targetsPerNodeMax),
    pauseMs: amount(pauseMs, politenessLimits.pauseMsMax),
  })),
});

export const wirePermitsOf = ({ serial, orders }: NodeOrders): WirePermits => ({ serial, targets: orders });

/** @throws Error where the outcome contradicts itself */
export function outcomeOf(wire: WireOutcome): Outcome {
  checkResults(wire);
  const { attemptId, runId, from, to, results } = wire;
  const failures = wire.failures.map(({ task, code, message, stack }, i) => ({
    task,
    code: label(code),
    message: cut(message, limits.messageCharactersMax),
    stack: cut(stack, limits.stackCharactersMax),
    ...(wire.retryAfterMs[i]! > 0 && { retryAfterMs: amount(wire.retryAfterMs[i]!, limits.measuredMsMax) }),
  }));
  // Left out, it says what its zeros would.
  const timing = timingOf(wire.timing ?? WireTiming.fromPartial({}), to - from);
  return { attemptId, runId, from, to, results, failures, timing, end: endOf(wire) };
}

/** The whole table is read: the engine cuts packs, and must not find out only then that there is nothing to cut. */
function checkResults({ from, to, results, failures }: WireOutcome): void {
  const count = packCount(results);
  if (count !== to - from) throw new Error(`it reports tasks ${from}..${to} with ${count} results`);
  const empty = emptyEntries(results);
  if (empty.length !== failures.length || !empty.every((entry, i) => failures[i]!.task === from + entry))
    throw new Error(`tasks ${from}..${to}: those without a result are not those that it says failed`);
}

function endOf({ end }: WireOutcome): Outcome['end'] {
  switch (end?.$case) {
    case undefined:
      return { kind: 'open' };
    case 'completed':
      return { kind: 'completed' };
    case 'stopped':
      return { kind: 'stopped' };
    case 'lost': {
      const { culprit, exit, code, message, signal, rssBytes, stderrTail } = end.value;
      const loss = {
        code: label(code),
        message: cut(message, limits.messageCharactersMax),
        signal: label(signal),
        rssBytes: amount(rssBytes, limits.hostRssBytesMax),
        stderrTail: cut(stderrTail, limits.messageCharactersMax),
        exit,
      };
      return { kind: 'lost', loss: culprit === undefined ? loss : { ...loss, culprit } };
    }
  }
}

/** @throws Error where it does not time each task, or none */
function timingOf(wire: WireTiming, tasks: number): Timing {
  const [wallUs, cpuUs] = [uint32s(wire.wallUs), uint32s(wire.cpuUs)];
  for (const { length } of [wallUs, cpuUs])
    if (length !== 0 && length !== tasks) throw new Error(`it times ${length} of ${tasks} tasks`);
  const ms = (value: number): number => amount(value, limits.measuredMsMax);
  return {
    wallUs,
    cpuUs,
    cpuMs: ms(wire.cpuMs),
    laneMs: ms(wire.laneMs),
    waitMs: ms(wire.waitMs),
    serializeMs: ms(wire.serializeMs),
    residentMs: ms(wire.residentMs),
    bytes: amount(wire.bytes, limits.messageBytesMax),
    host: wire.host,
    hostRssBytes: amount(wire.hostRssBytes, limits.hostRssBytesMax),
    stallMs: ms(wire.stallMs),
    throttledMs: ms(wire.throttledMs),
  };
}

/** A view where the bytes lie on a boundary of four, a copy where they do not. */
function uint32s(bytes: Uint8Array): Uint32Array {
  const length = bytes.byteLength >>> 2;
  if (bytes.byteOffset % 4 === 0) return new Uint32Array(bytes.buffer, bytes.byteOffset, length);
  // Not slice(): what gRPC gives is a Buffer, whose slices are views.
  return new Uint32Array(new Uint8Array(bytes).buffer, 0, length);
}
