/**
 * A whole cluster on this machine, for people with no other: a nats-server, a coordinator and node-agents, each its own
 * process, talking on loopback as they would between hosts. A nats-server that REGATTA_NATS names is used instead of one
 * of its own; with REGATTA_NO_NATS there is none.
 *
 * - M1: an ephemeral cluster ends with the process that started it, however that ends; so does one that stays, until
 *   the file that lets `down` find it is written.
 * - M2: only processes that we started are ever ended, recognised by id and start time.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isInsecure } from '@regatta/access';
import { RegattaError } from '@regatta/kernel';
import { limits } from '../cli/limits.ts';
import { alone } from './lock.ts';
import { type NatsServer, startNatsServer } from './nats-server.ts';
import { letStay, type Secrets, type Started, startAgent, startCoordinator } from './spawn.ts';
import {
  type ClusterState,
  isAlive,
  makeStateDirectory,
  markOf,
  type ProcessMark,
  readState,
  removeState,
  stateDirectory,
  writeState,
} from './state.ts';

export const AGENTS_DEFAULT = 2;

/** Who may use it. */
export type ClusterAccess = Omit<Secrets, 'nats'>;

export interface EphemeralCluster {
  readonly address: string;
  /** Ends all its processes and waits until they are gone. */
  end(): Promise<void>;
}

/** @throws RegattaError START_FAILED, NO_NATS_SERVER; then nothing is left running */
export async function startEphemeral(agents: number): Promise<EphemeralCluster> {
  const logs = makeStateDirectory(`own-${process.pid}`);
  const nats = await startNats(join(logs, 'nats'), true);
  // On loopback, for as long as a command takes: it needs no token.
  const access = { token: undefined, insecure: isInsecure(undefined) };
  const { address, processes } = await startAll('127.0.0.1:0', agents, nats, logs, access);
  // Marked now, while they surely are the ones that we started (M2).
  const marks = processes.map(({ pid }) => markOf(pid));
  const end = async (): Promise<void> => {
    await endAll(marks);
    await nats?.close();
    rmSync(logs, { recursive: true, force: true });
  };
  return { address, end };
}

/** Starts a cluster that stays, unless interrupted meanwhile. @throws RegattaError ALREADY_UP, START_FAILED, NO_NATS_SERVER */
export function up(
  listen: string,
  agents: number,
  access: ClusterAccess,
  interrupted: AbortSignal,
): Promise<ClusterState> {
  return alone(() => startToStay(listen, agents, access, interrupted));
}

async function startToStay(
  listen: string,
  agents: number,
  access: ClusterAccess,
  interrupted: AbortSignal,
): Promise<ClusterState> {
  const before = readState();
  if (before !== undefined && isAlive(before.coordinator)) {
    throw new RegattaError('ALREADY_UP', `a cluster is up at ${before.address}; end it with regatta down`);
  }
  // But not the store: what a coordinator wrote before it was lost is the next one's.
  if (before !== undefined) await endAllOf(before);
  const logs = makeStateDirectory();
  const nats = await startNats(natsFolder(), false);
  const { address, processes } = await startAll(listen, agents, nats, logs, access);
  const marks = processes.map(({ pid }) => markOf(pid));
  if (interrupted.aborted) {
    await endAll(marks);
    await nats?.close();
    throw interrupted.reason;
  }
  const [coordinator, ...rest] = marks;
  const state: ClusterState = {
    address,
    coordinator: coordinator!,
    agents: rest.map((mark, i) => ({ ...mark, id: agentId(i) })),
    ...(nats !== undefined && { nats: { ...markOf(nats.pid), address: nats.address } }),
    startedAt: new Date().toISOString(),
  };
  writeState(state);
  await Promise.all([...processes.map(letStay), nats?.letStay()]);
  return state;
}

/** Ends what `up` started, with all that its NATS stored. @returns what was ended, or undefined where nothing was up */
export async function down(): Promise<ClusterState | undefined> {
  const state = readState();
  if (state === undefined) return undefined;
  await endAllOf(state);
  rmSync(natsFolder(), { recursive: true, force: true });
  removeState();
  return state;
}

/** NATS last: the others may have something to write when they end. */
async function endAllOf({ agents, coordinator, nats }: ClusterState): Promise<void> {
  await endAll([coordinator, ...agents]);
  if (nats !== undefined) await endAll([nats]);
}

/** The cluster that is up, if its coordinator lives. */
export function findCluster(): ClusterState | undefined {
  const state = readState();
  return state !== undefined && isAlive(state.coordinator) ? state : undefined;
}

/** Whether what `up` started still has the nats-server that it was started with, if any. */
export const hasLostNats = ({ nats }: ClusterState): boolean => nats !== undefined && !isAlive(nats);

const agentId = (i: number): string => `local-${i + 1}`;

const natsFolder = (): string => join(stateDirectory(), 'nats');

async function startNats(folder: string, temporary: boolean): Promise<NatsServer | undefined> {
  if (process.env.REGATTA_NO_NATS !== undefined) {
    process.stderr.write('No NATS: no journal, and I/O runs go over gRPC.\n');
    return undefined;
  }
  return process.env.REGATTA_NATS ? undefined : startNatsServer({ folder, temporary });
}

/** Ends all, NATS too, where one does not start. */
async function startAll(
  listen: string,
  agents: number,
  nats: NatsServer | undefined,
  logs: string,
  access: ClusterAccess,
): Promise<{ address: string; processes: Started[] }> {
  const named = process.env.REGATTA_NO_NATS === undefined ? (process.env.REGATTA_NATS ?? '') : '';
  try {
    return await startOnNats(listen, agents, logs, { ...access, nats: nats?.url ?? named });
  } catch (thrown) {
    await nats?.close();
    throw thrown;
  }
}

async function startOnNats(
  listen: string,
  agents: number,
  logs: string,
  secrets: Secrets,
): Promise<{ address: string; processes: Started[] }> {
  const coordinator = await startCoordinator(listen, logs, secrets);
  const { address } = coordinator;
  const ids = Array.from({ length: agents }, (_, i) => agentId(i));
  // The coordinator would tell them where it is, but not the password.
  const started = await Promise.allSettled(ids.map((id) => startAgent(id, address, logs, secrets)));
  const processes = [coordinator, ...started.flatMap((s) => (s.status === 'fulfilled' ? [s.value] : []))];
  const failed = started.find((s) => s.status === 'rejected');
  if (failed === undefined) return { address, processes };
  await endAll(processes.map(({ pid }) => markOf(pid)));
  throw failed.reason;
}

/** In good order the first one; its agents at once, as nobody is left who could want what they have. */
async function endAll(processes: readonly ProcessMark[]): Promise<void> {
  const [first, ...agents] = processes;
  signalAll(agents, 'SIGQUIT');
  signalAll([first!], 'SIGTERM');
  for (let waited = 0; processes.some(isAlive); waited += limits.endPollMs) {
    if (waited === limits.endMsMax) signalAll(processes, 'SIGKILL');
    await sleep(limits.endPollMs);
  }
}

function signalAll(processes: readonly ProcessMark[], signal: NodeJS.Signals): void {
  for (const mark of processes.filter(isAlive)) {
    try {
      process.kill(mark.pid, signal);
    } catch {
      // It ended between the look and the blow.
    }
  }
}
