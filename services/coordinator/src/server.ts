/** The coordinator's gRPC server: node link, control, health and reflection on one port. */
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { logVerbosity, Server, setLogVerbosity } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { Broker, type BrokerOptions, type BrokerState } from '@regatta/broker';
import { RegattaError } from '@regatta/kernel';
import { controlService as controlDefinition, nodeLinkService as nodeLinkDefinition } from '@regatta/proto/services';
import { service as healthDefinition } from 'grpc-health-check';
import type { Logger } from 'pino';
import { Connections } from './access/connections.ts';
import { connectionBounds, guard, serverCredentials } from './access/guard.ts';
import { healthService } from './access/health.ts';
import type { Refusals } from './access/refusals.ts';
import { RefusedNodes } from './agents/refused-nodes.ts';
import { nodeLinkService } from './agents/server.ts';
import { controlService } from './control/server.ts';
import { Coordinator } from './coordinator.ts';
import type { EngineOptions } from './engine/engine.ts';
import { limits } from './engine/limits.ts';
import type { MetricsOptions } from './observe/observing.ts';

const EXIT_BROKEN = 70;
const PROTO_ROOT = fileURLToPath(new URL('../../../proto', import.meta.url));

export interface ServerOptions {
  /** HOST:PORT; port 0 for any free one. */
  readonly listen: string;
  /** Where results and inputs go that do not fit in memory. */
  readonly spillDirectory: string;
  /** After so long without a task ended a run is explained in the log. */
  readonly noProgressMs: number;
  /** Undefined to go without. */
  readonly nats: BrokerOptions | undefined;
  /** Where nodes reach it that are not told otherwise, if not where this coordinator does. */
  readonly natsAdvertised?: readonly string[] | undefined;
  /** Where others reach it, if not where it listens. */
  readonly advertise?: string | undefined;
  /** Copies of all that is in NATS, on different servers of its cluster. */
  readonly replicas: number;
  /** Of steps, after which all of the engine is written to the journal. */
  readonly bytesPerSnapshot: number;
  readonly version: string;
  /** That nodes and clients must show; undefined to let everybody in. */
  readonly token: string | undefined;
  /** What people were warned of at the start, and are again in the status. */
  readonly insecure: readonly string[];
  /** Counts calls without the right token. */
  readonly refusals: Refusals;
  /** Undefined to count nothing and tell nothing. */
  readonly metrics: MetricsOptions | undefined;
}

export interface RunningServer {
  readonly address: string;
  /** Where its metrics are; empty for none. */
  readonly metricsUrl: string;
  /** Resolves when it leads or stands by, or when that takes long. */
  readonly placed: Promise<void>;
  /** Stops at once; streams to nodes and clients end. Resolves when what was meant for NATS has been sent. */
  stop(): Promise<void>;
}

/** @throws RegattaError CANNOT_LISTEN in one line */
export async function startServer(options: ServerOptions, log: Logger): Promise<RunningServer> {
  const { listen, spillDirectory, noProgressMs, nats, natsAdvertised, advertise, replicas } = options;
  const { bytesPerSnapshot, version, token, insecure, refusals, metrics } = options;
  const access = { wantsToken: token !== undefined, insecure, refused: refusals.counts.grpc };
  // What goes wrong is told by us, in one line.
  setLogVerbosity(logVerbosity.NONE);
  const observing = metrics && new (await import('./observe/observing.ts')).Observing(metrics, version);
  const broker = nats && new Broker(nats);
  const unconnected = broker?.state;
  const engine: EngineOptions = {
    spillDirectory,
    noProgressMs,
    onBroken: (thrown) => {
      log.fatal(thrown, 'the engine met a state that cannot be; this is a bug, and the coordinator ends');
      process.exit(EXIT_BROKEN);
    },
    onUnkept: (run, reason) => log.error({ run }, `${run} is stopped: ${reason}`),
    onStuck: ({ runId, ms, reasons }) => {
      observing?.stuck();
      log.warn(
        { run: runId, reasons },
        `${runId} has had no task end for ${Math.round(ms / 1000)} s: ${reasons[0]?.text}`,
      );
    },
    observe: observing?.observe,
  };
  const observer = observing?.observer;
  const coordinator = new Coordinator({ engine, broker, natsAdvertised, replicas, bytesPerSnapshot, log, observer });
  const connections = new Connections(log);
  const server = new Server({
    'grpc.max_receive_message_length': limits.messageBytesMax,
    'grpc.max_send_message_length': limits.messageBytesMax,
    'grpc-node.flow_control_window': limits.windowBytes,
    ...connectionBounds(),
    // Two coordinators on one port would each get some of the nodes.
    'grpc.so_reuseport': 0,
    ...(token !== undefined && { interceptors: [guard(token, refusals, connections)] }),
  });
  const refusedNodes = new RefusedNodes();
  const onRefused = (code: string): void => observing?.refusedNode(code);
  server.addService(nodeLinkDefinition, nodeLinkService(coordinator, log, refusedNodes, onRefused));
  const self = { version, access, refusedNodes, metricsUrl: () => observing?.url ?? '' };
  server.addService(controlDefinition, controlService(coordinator, self, log));
  server.addService(healthDefinition, healthService(['', 'regatta.v1.ControlService']));
  const files = ['regatta/v1/control.proto', 'regatta/v1/node.proto'];
  new ReflectionService(loadSync(files, { includeDirs: [PROTO_ROOT] })).addToServer(server);
  const stop = async (): Promise<void> => {
    await coordinator.close();
    observing?.close();
    server.forceShutdown();
    await broker?.close();
  };
  try {
    const port = await bind(server, listen);
    connections.watch(server, token === undefined);
    const address = `${listen.slice(0, listen.lastIndexOf(':'))}:${port}`;
    await observing?.serve(coordinator, broker, refusals, connections);
    coordinator.start([advertise ?? reachable(address)]);
    // Not before: one that cannot listen says that and nothing else.
    tellOf(broker, unconnected, log);
    // No longer than NATS may take: it may be started last.
    const placed = Promise.race([coordinator.placed, sleep(limits.placeMsMax, undefined, { ref: false })]);
    return { address, metricsUrl: self.metricsUrl(), placed, stop };
  } catch (thrown) {
    // It would keep this process alive.
    await stop();
    throw thrown;
  }
}

/** One line for each change since `known`; what is said twice in a row is news once. */
function tellOf(broker: Broker | undefined, known: BrokerState | undefined, log: Logger): void {
  if (broker === undefined) return log.info('no NATS: no journal, and I/O runs go over gRPC');
  let said = '';
  const tell = (state: BrokerState): void => {
    if (state.kind === 'closed') return;
    const line = state.kind === 'ready' ? 'NATS is ready' : state.complaint;
    if (line !== said) log[state.kind === 'ready' ? 'info' : 'warn'](line);
    said = line;
  };
  if (broker.state !== known) tell(broker.state);
  broker.onState(tell);
}

/** All of this machine's addresses are none that another one could dial. */
const reachable = (address: string): string => address.replace(/^(0\.0\.0\.0|\[?::\]?|\*)(?=:\d+$)/, hostname());

function bind(server: Server, listen: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(listen, serverCredentials(), (error, port) => {
      if (error === null) return resolve(port);
      const inUse = error.message.includes('EADDRINUSE');
      const why = inUse ? 'the port is in use; end what holds it or give another --listen' : error.message;
      reject(new RegattaError('CANNOT_LISTEN', `cannot listen on ${listen}: ${why}`));
    });
  });
}
