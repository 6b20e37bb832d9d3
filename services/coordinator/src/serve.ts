/** `regatta serve`: a coordinator in the foreground, until told to end. */
import type { BrokerOptions } from '@regatta/broker';
import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
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
  /** HOST:PORT where others reach it, if not where it listens. */
  readonly advertise?: string | undefined;
  /** Copies of all that is in NATS. */
  readonly natsReplicas: number;
  /** Of steps, after which all of the engine is written to the journal. */
  readonly snapshotBytes: number;
  readonly version: string;
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
  advertise,
  natsReplicas: replicas,
  snapshotBytes: bytesPerSnapshot,
  version,
  logLevel,
  endsWithParent,
}: ServeOptions): Promise<void> {
  const ended = Promise.withResolvers<void>();
  // Before anything takes time: a parent may be gone at any moment.
  if (endsWithParent) endWithParent(() => ended.resolve());
  try {
    await serveUntil(
      ended,
      {
        listen,
        spillDirectory: spillDir,
        noProgressMs: explainAfter,
        nats,
        advertise,
        replicas,
        bytesPerSnapshot,
        version,
      },
      pino({ level: logLevel }, logStream()),
    );
  } finally {
    // An open channel would keep this process alive.
    if (process.connected) process.disconnect();
  }
}

async function serveUntil(ended: PromiseWithResolvers<void>, options: ServerOptions, log: Logger): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.resolve());
  const server = await startServer(options, log);
  log.info(`coordinator listens on ${server.address}`);
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
