/** Between the node link's wire types and the engine's own. */

import type { Hello, Outcome as WireOutcome, Timing as WireTiming } from '@regatta/proto/node';
import type { Workload } from '@regatta/proto/workload';
import { packCount } from '@regatta/workloads';
import type { Outcome, Timing } from '../engine/bookkeeping.ts';
import type { Introduction, WorkloadCard } from '../engine/fleet.ts';

/** @throws Error in one line where something that a node must say is missing */
export function introductionOf(hello: Hello, address: string): Introduction {
  const { nodeId, machine, workloads, runtime, version, pid, instance } = hello;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(nodeId))
    throw new Error('its name is not 1 to 63 letters, digits, . _ -');
  if (machine === undefined || !(machine.cores >= 1 && machine.cores <= 65_536)) throw new Error('it tells no machine');
  return { nodeId, machine, workloads: workloads.map(cardOf), runtime, version, pid, instance, address };
}

function cardOf({ name, kind, summary, parameters }: Workload): WorkloadCard {
  return { name, kind: kind === 2 ? 'io' : 'cpu', summary, parameters };
}

/** @throws Error where the outcome contradicts itself */
export function outcomeOf(wire: WireOutcome): Outcome {
  const { attemptId, runId, from, to, results } = wire;
  if (packCount(results) !== to - from)
    throw new Error(`it reports tasks ${from}..${to} with ${packCount(results)} results`);
  const failures = wire.failures.map(({ task, code, message, stack }) => ({ task, code, message, stack }));
  return { attemptId, runId, from, to, results, failures, timing: timingOf(wire.timing), end: endOf(wire) };
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
      const { culprit, exit, ...said } = end.value;
      const loss = { ...said, exit };
      return { kind: 'lost', loss: culprit === undefined ? loss : { ...loss, culprit } };
    }
  }
}

const NO_TIMING: Timing = {
  wallUs: new Uint32Array(0),
  cpuUs: new Uint32Array(0),
  cpuMs: 0,
  laneMs: 0,
  waitMs: 0,
  serializeMs: 0,
  residentMs: 0,
  bytes: 0,
  host: 0,
  hostRssBytes: 0,
  stallMs: 0,
  throttledMs: 0,
};

function timingOf(wire: WireTiming | undefined): Timing {
  if (wire === undefined) return NO_TIMING;
  const { cpuMs, laneMs, waitMs, serializeMs, residentMs, bytes, host, hostRssBytes, stallMs, throttledMs } = wire;
  const [wallUs, cpuUs] = [uint32s(wire.wallUs), uint32s(wire.cpuUs)];
  return {
    wallUs,
    cpuUs,
    cpuMs,
    laneMs,
    waitMs,
    serializeMs,
    residentMs,
    bytes,
    host,
    hostRssBytes,
    stallMs,
    throttledMs,
  };
}

/** A view where the bytes lie on a boundary of four, a copy where they do not. */
function uint32s(bytes: Uint8Array): Uint32Array {
  const length = bytes.byteLength >>> 2;
  if (bytes.byteOffset % 4 === 0) return new Uint32Array(bytes.buffer, bytes.byteOffset, length);
  return new Uint32Array(bytes.slice(0, length * 4).buffer);
}
