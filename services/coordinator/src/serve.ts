/** `regatta serve`: a coordinator in the foreground, until told to end. */
import { isBeyondLoopback } from '@regatta/access';
import type { BrokerOptions } from '@regatta/broker';
import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import { Refusals } from './access/refusals.ts';
import { limits } from './engine/limits.ts';
import { type ServerOptions, startServer } from './server.ts';

export interface ServeOptions {
  readonly listen: string;
  /** Where results and inputs go that do not fit in memory. */
  readonly spillDir: string;
  /** After so many ms without a task ended a run is explained in the log. */
  readonly explainAfter: number;
  /** Undefined to go without. */
  readonly nats: BrokerOptions | undefined;
  /** Where nodes reach it that are not told otherwise, if not where this coordinator does. */
  readonly natsAdvertised?: readonly string[] | undefined;
  /** HOST:PORT where others reach it, if not where it listens. */
  readonly advertise?: string | undefined;
  /** Copies of all that is in NATS. */
  readonly natsReplicas: number;
  /** Of steps, after which all of the engine is written to the journal. */
  readonly snapshotBytes: number;
  readonly version: string;
  /** That nodes and clients must show; undefined to let everybody in. */
  readonly token: string | undefined;
  /** What to warn of, a line each. */
  readonly insecure: readonly string[];
  /** Undefined to tell none. */
  readonly metrics: ServerOptions['metrics'];
  readonly logLevel: string;
  /** End when the process that started this one does. */
  readonly endsWithParent: boolean;
}

/** @throws RegattaError CANNOT_LISTEN */
export async function serve({
  listen,
  spillDir,
  explainAfter,
  nats,
  natsAdvertised,
  advertise,
  natsReplicas: replicas,
  snapshotBytes: bytesPerSnapshot,
  version,
  token,
  insecure,
  metrics,
  logLevel,
  endsWithParent,
}: ServeOptions): Promise<void> {
  const ended = Promise.withResolvers<void>();
  // Before anything takes time: a parent may be gone at any moment.
  if (endsWithParent) endWithParent(() => ended.resolve());
  const log = pino({ level: logLevel }, logStream());
  try {
    await serveUntil(
      ended,
      {
        listen,
        spillDirectory: spillDir,
        noProgressMs: explainAfter,
        nats,
        natsAdvertised,
        advertise,
        replicas,
        bytesPerSnapshot,
        version,
        token,
        insecure,
        metrics,
        refusals: new Refusals(log),
      },
      log,
    );
  } finally {
    // An open channel would keep this process alive.
    if (process.connected) process.disconnect();
  }
}

async function serveUntil(ended: PromiseWithResolvers<void>, options: ServerOptions, log: Logger): Promise<void> {
  // Each one, not the first alone: those who are impatient would cut off what ends in good order, and in bounded time.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => ended.resolve());
  const server = await startServer(options, log);
  log.info(`coordinator listens on ${server.address}`);
  if (server.metricsUrl !== '') log.info(`metrics at ${server.metricsUrl}`);
  for (const line of options.insecure) log.warn(line);
  if (isBeyondLoopback(server.address)) {
    log.info('what nodes and clients send is not encrypted: keep it within a network that you trust');
  }
  // Whoever started this process waits for it to be of use.
  await Promise.race([server.placed, ended.promise]);
  if (process.connected) process.send!({ kind: 'ready', address: server.address }, () => {});
  await ended.promise;
  // Told to end it ends, whatever NATS does meanwhile: who comes next finds all that was acknowledged in the journal.
  setTimeout(() => {
    log.warn(`this coordinator took more than ${limits.endMsMax} ms to end in good order, and ends as it is`);
    process.exit(0);
  }, limits.endMsMax).unref();
  await server.stop();
  // Nothing is left to wait for but sockets: nats.js never closes one that it dialled a server with that stands still.
  setTimeout(() => process.exit(), limits.lingerMsMax).unref();
}

/** For people on a terminal, for machines elsewhere. */
function logStream(): pino.DestinationStream {
  return process.stderr.isTTY ? pretty({ destination: 2, sync: true }) : pino.destination({ dest: 2, sync: true });
}

/** Until the parent says that this process is to stay. */
function endWithParent(end: () => void): void {
  process.once('disconnect', end);
  process.once('message', () => process.off('disconnect', end));
}
