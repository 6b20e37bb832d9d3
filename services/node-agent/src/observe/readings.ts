/** What is read when somebody scrapes: how hosts, link and queues stand. */
import type { Reading } from '@regatta/observe';
import type { Metrics } from './metrics.ts';
import type { Subject } from './observing.ts';

/** What does not change while the agent lives. */
export function readNode(metrics: Metrics, { machine, hostLimits }: Subject): void {
  metrics.cores.set(machine.cores);
  metrics.osCores.set(machine.osCores);
  metrics.quotaCores.set(machine.quotaCores);
  metrics.quotaLimited.set(Number(machine.quotaLimited));
  metrics.memoryMax.set(machine.memoryBytes);
  metrics.hostMemoryMax.set(hostLimits.memoryBytesMax);
}

export function readAgent(metrics: Metrics, { executor, queues, link, throttledMs, machine }: Subject): void {
  const { lanes, lanesBusy, waiting, runs, held, taken } = executor.figures;
  metrics.lanes.set(Math.max(lanes, machine.cores));
  metrics.lanesBusy.set(lanesBusy);
  metrics.chunksWaiting.set(waiting);
  metrics.runsOpen.set(runs);
  metrics.held.set(Number(held));
  metrics.chunksTaken.read([
    [{ transport: 'grpc' }, taken.pushed],
    [{ transport: 'nats' }, taken.pulled],
  ]);
  metrics.throttled.of({}).value = throttledMs() / 1000;
  metrics.linkUp.set(Number(link()?.connected === true));
  metrics.linkJoins.of({}).value = link()?.joins ?? 0;
  metrics.linkPending.set(link()?.pendingBytes ?? 0);
  readHosts(metrics, executor.pool);
  readQueues(metrics, queues);
}

function readHosts(metrics: Metrics, pool: Subject['executor']['pool']): void {
  const { states, starts, ends, rssBytes } = pool.figures();
  metrics.hosts.read(Object.entries(states).map(([state, hosts]) => [{ state }, hosts]));
  metrics.hostStarts.of({}).value = starts;
  metrics.hostEnds.read(Object.entries(ends).map(([reason, hosts]) => [{ reason }, hosts]));
  metrics.hostsMemory.set(rssBytes);
}

function readQueues(metrics: Metrics, queues: Subject['queues']): void {
  const { usable, held, pendingBytes, deliveries } = queues.figures;
  metrics.queueUp.read(usable === undefined ? [] : ([[{}, Number(usable)]] satisfies Reading<never>[]));
  metrics.queueHeld.set(held);
  metrics.queuePending.set(pendingBytes);
  metrics.queueTaken.of({}).value = deliveries.first;
  metrics.queueRedeliveries.of({}).value = deliveries.again;
  metrics.queueTooOften.of({}).value = deliveries.tooOften;
  metrics.queueUnreadable.of({}).value = deliveries.unreadable;
}
