/** The node-agent: works for one coordinator until told to end. Runs no workload code in this process. */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { isBeyondLoopback } from '@regatta/access';
import { messageOf, RegattaError } from '@regatta/kernel';
import { pino } from 'pino';
import { readConfig } from './config/config.ts';
import { Queues } from './fanout/queues.ts';
import { Executor } from './hosts/executor.ts';
import { limits, limitViews } from './limits.ts';
import { Link } from './link/link.ts';
import { readMachine, readThrottledMs } from './machine/machine.ts';
import type { Observing } from './observe/observing.ts';
import { restAfterStart } from './rest.ts';
import { leave } from './shutdown.ts';
import { Stall } from './worker/stall.ts';

/** The same as the CLI's for a cluster that cannot be used. */
const EXIT_REFUSED = 3;

// Payloads lie outside V8's heap, and for every 64 MiB of them that pass it would search the whole heap: docs/adr/0008.
setFlagsFromString('--external-memory-accounted-in-global-limit');

const config = readConfig(process.argv);
const log = pino({ level: config.logLevel, base: { node: config.id } }, await logStream());
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const found = readMachine();
const machine = { ...found, cores: config.cores ?? found.cores };
const stall = new Stall();

/** For people on a terminal, for machines elsewhere. */
async function logStream(): Promise<pino.DestinationStream> {
  if (!process.stderr.isTTY) return pino.destination({ dest: 2, sync: true });
  // Not loaded where nobody looks: it is megabytes that an agent holds for nothing.
  const { default: pretty } = await import('pino-pretty');
  return pretty({ destination: 2, sync: true });
}

const throttledAtStart = readThrottledMs();
const throttled = { ms: 0, readAt: performance.now() };
function throttledMs(): number {
  const now = performance.now();
  if (now - throttled.readAt >= limits.throttleReadMs) {
    throttled.ms = readThrottledMs() - throttledAtStart;
    throttled.readAt = now;
  }
  return throttled.ms;
}

const hostLimits = {
  tasksMax: config.hostTasks,
  memoryBytesMax:
    config.hostMemoryBytes ??
    Math.max(limits.hostMemoryDefaultBytesMin, (limits.hostMemoryDefaultPart * machine.memoryBytes) / found.cores),
};
let observing: Observing | undefined;
const executor = new Executor({
  cores: machine.cores,
  prestart: config.prestart ?? machine.cores,
  hostLimits,
  report: (outcome) => {
    const pulled = queues.report(outcome);
    if (!pulled) link?.report(outcome);
    observing?.told(outcome, pulled);
  },
  reportLate: (late) => link?.reportLate(late),
  onUnable: (why) => {
    process.stderr.write(`regatta-node-agent: host processes do not start here: ${why}\n`);
    end(1);
  },
  takeAgentStall: () => stall.take(),
  throttledMs,
});

const queues = new Queues({
  nodeId: config.id,
  nats: config.nats,
  insecure: config.insecure,
  incarnation: () => link?.incarnation ?? 0,
  executor,
  log,
});

let told = false;
/** Once: the parent goes its own way then, and the channel with it. */
function tellParent(): void {
  if (!told && process.connected) process.send!({ kind: 'ready' }, () => {});
  told = true;
}

const end = (code: number): void => {
  link?.close();
  observing?.close();
  executor.shutDown();
  void queues.close();
  process.exitCode = code;
  // Nothing is left to wait for but sockets that close themselves.
  setTimeout(() => process.exit(code), limits.endMsMax).unref();
};

let askedAt: number | undefined;
/** Asked once, it leaves in good order; asked again, it ends at once. */
function onSignal(finishMs: number): void {
  // Where it has not begun to serve there is nothing to leave.
  if (link === undefined) return end(0);
  if (askedAt !== undefined) {
    // One Ctrl-C may come twice: from the terminal, and passed on by whoever started this process.
    if (performance.now() - askedAt > limits.signalEchoMs) end(0);
    return;
  }
  askedAt = performance.now();
  log.info(`told to end: this node takes no more work, and finishes what it has within ${finishMs / 1_000} s`);
  void leave({ link, executor, queues, log }, finishMs).then(() => end(0));
}
process.on('SIGTERM', () => onSignal(config.drainMs));
process.on('SIGINT', () => onSignal(0));
// Whoever ends the whole cluster: there is nobody left who could want what it has.
process.on('SIGQUIT', () => end(0));
if (config.endsWithParent) {
  const orphaned = (): void => end(0);
  process.once('disconnect', orphaned);
  // The parent says that this process is to stay.
  process.once('message', () => process.off('disconnect', orphaned));
}

for (const line of config.warnings) log.warn(line);
if (config.coordinators.some(isBeyondLoopback)) {
  log.info('what goes to and from the coordinator is not encrypted: keep it within a network that you trust');
}
let link: Link | undefined;
try {
  // While hosts start, which takes longer.
  if (config.metrics !== undefined) {
    observing = new (await import('./observe/observing.ts')).Observing(config.metrics, version, log);
    await observing.serve({ executor, queues, link: () => link, throttledMs, hostLimits, machine });
  }
  const workloads = await executor.pool.workloads();
  stall.start();
  restAfterStart(() => executor.figures.runs === 0);
  link = new Link({
    addresses: config.coordinators,
    token: () => config.token.read(),
    introduction: {
      nodeId: config.id,
      machine,
      workloads,
      version,
      limits: limitViews(hostLimits),
      ...(observing && { metricsAddress: observing.address }),
    },
    executor,
    queues,
    log,
    pulse: () => ({
      rssBytes: process.memoryUsage.rss(),
      hosts: executor.hosts,
      throttledMs: throttledMs(),
      pulled: queues.held,
      queueComplaint: queues.complaint,
    }),
    // Whoever started this process waits for it to be of use.
    onWelcome: tellParent,
  });
  await link.run();
} catch (thrown) {
  process.stderr.write(`regatta-node-agent: ${messageOf(thrown)}\n`);
  end(thrown instanceof RegattaError ? EXIT_REFUSED : 1);
}
