/**
 * A whole cluster on this machine, for people with no other: a coordinator and node-agents, each its own process,
 * talking gRPC on loopback as they would between hosts.
 *
 * - M1: an ephemeral cluster ends with the process that started it, however that ends; so does one that stays, until
 *   the file that lets `down` find it is written.
 * - M2: only processes that we started are ever ended, recognised by id and start time.
 */
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { RegattaError } from '@regatta/kernel';
import { alone } from './lock.ts';
import { letStay, type Started, startAgent, startCoordinator } from './spawn.ts';
import {
  type ClusterState,
  isAlive,
  makeStateDirectory,
  markOf,
  type ProcessMark,
  readState,
  removeState,
  writeState,
} from './state.ts';

export const AGENTS_DEFAULT = 2;
const END_MS_MAX = 5_000;
const POLL_MS = 25;

export interface EphemeralCluster {
  readonly address: string;
  /** Ends all its processes and waits until they are gone. */
  end(): Promise<void>;
}

/** @throws RegattaError START_FAILED; then nothing is left running */
export async function startEphemeral(agents: number): Promise<EphemeralCluster> {
  const logs = makeStateDirectory(`own-${process.pid}`);
  const { address, processes } = await startAll('127.0.0.1:0', agents, logs);
  // Marked now, while they surely are the ones that we started (M2).
  const marks = processes.map(({ pid }) => markOf(pid));
  const end = async (): Promise<void> => {
    await endAll(marks);
    rmSync(logs, { recursive: true, force: true });
  };
  return { address, end };
}

/** Starts a cluster that stays, unless interrupted meanwhile. @throws RegattaError ALREADY_UP, START_FAILED */
export function up(listen: string, agents: number, interrupted: AbortSignal): Promise<ClusterState> {
  return alone(() => startToStay(listen, agents, interrupted));
}

async function startToStay(listen: string, agents: number, interrupted: AbortSignal): Promise<ClusterState> {
  const before = readState();
  if (before !== undefined && isAlive(before.coordinator)) {
    throw new RegattaError('ALREADY_UP', `a cluster is up at ${before.address}; end it with regatta down`);
  }
  if (before !== undefined) await down();
  const { address, processes } = await startAll(listen, agents, makeStateDirectory());
  const marks = processes.map(({ pid }) => markOf(pid));
  if (interrupted.aborted) {
    await endAll(marks);
    throw interrupted.reason;
  }
  const [coordinator, ...rest] = marks;
  const state: ClusterState = {
    address,
    coordinator: coordinator!,
    agents: rest.map((mark, i) => ({ ...mark, id: agentId(i) })),
    startedAt: new Date().toISOString(),
  };
  writeState(state);
  await Promise.all(processes.map(letStay));
  return state;
}

/** Ends what `up` started. @returns what was ended, or undefined where nothing was up */
export async function down(): Promise<ClusterState | undefined> {
  const state = readState();
  if (state === undefined) return undefined;
  await endAll([...state.agents, state.coordinator]);
  removeState();
  return state;
}

/** The cluster that is up, if its coordinator lives. */
export function findCluster(): ClusterState | undefined {
  const state = readState();
  return state !== undefined && isAlive(state.coordinator) ? state : undefined;
}

const agentId = (i: number): string => `local-${i + 1}`;

async function startAll(
  listen: string,
  agents: number,
  logs: string,
): Promise<{ address: string; processes: Started[] }> {
  const coordinator = await startCoordinator(listen, logs);
  const { address } = coordinator;
  const ids = Array.from({ length: agents }, (_, i) => agentId(i));
  const started = await Promise.allSettled(ids.map((id) => startAgent(id, address, logs)));
  const processes = [coordinator, ...started.flatMap((s) => (s.status === 'fulfilled' ? [s.value] : []))];
  const failed = started.find((s) => s.status === 'rejected');
  if (failed === undefined) return { address, processes };
  await endAll(processes.map(({ pid }) => markOf(pid)));
  throw failed.reason;
}

async function endAll(processes: readonly ProcessMark[]): Promise<void> {
  signalAll(processes, 'SIGTERM');
  for (let waited = 0; processes.some(isAlive); waited += POLL_MS) {
    if (waited === END_MS_MAX) signalAll(processes, 'SIGKILL');
    await sleep(POLL_MS);
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
