/**
 * How long it takes until something works, and what it holds while it does not.
 *
 * - `to the first result`: two whole commands, one after the other: `regatta up` (a coordinator and two node-agents),
 *   then `regatta run` with one task, until that has ended.
 * - `an agent`: from the fork to its word that the coordinator has welcomed it, its host processes ready.
 * - Times are against one bare `node -e 0`, from its spawn to its exit: what any program in Node takes.
 * - Memory is what is resident of each process a second after `up`, before any run, against a bare Node that waits.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { median } from '@regatta/kernel';
import { startAgent, startCoordinator } from '../../services/coordinator/src/embedded/spawn.ts';
import { childrenOf, Sandbox } from '../integration/cluster.ts';
import type { RunJson, StatusJson } from '../integration/wire.ts';
import { type Bench, costFigure, type Figure } from './figure.ts';
import { rssOf } from './memory.ts';
import { digits, MIB } from './numbers.ts';
import { within } from './waiting.ts';

const ROUNDS = 3;
const BARE_MS_MAX = 10_000;
const END_MS_MAX = 10_000;
/** Nothing tells that a process has come to rest. */
const SETTLE_MS = 1_000;

type Role = 'coordinator' | 'agent' | 'host' | 'bare';
const ROLES: Readonly<Record<Exclude<Role, 'bare'>, string>> = {
  coordinator: 'the coordinator',
  agent: "an agent's own process",
  host: 'a host process',
};

export const start: Bench = async () => {
  await using sandbox = new Sandbox();
  // What `up` starts outlives whoever started it: an interrupted bench must not leave it behind.
  const endAll = (): void => {
    for (const pid of sandbox.processes()) kill(pid);
    rmSync(sandbox.directory, { recursive: true, force: true });
  };
  process.once('exit', endAll);
  try {
    const times = { bare: [] as number[], firstResult: [] as number[], agent: [] as number[] };
    let memory: Record<Role, number> | undefined;
    for (let round = 1; round <= ROUNDS; round++) {
      process.stderr.write(`start: round ${round} of ${ROUNDS}\n`);
      times.bare.push(await timeBareNode(sandbox));
      times.firstResult.push(await timeFirstResult(sandbox));
      times.agent.push(await timeAgent(sandbox));
      memory ??= await measureMemory(sandbox);
    }
    return [...timeFigures(times), ...memoryFigures(memory!)];
  } finally {
    process.off('exit', endAll);
  }
};

function timeFigures(times: Readonly<Record<'bare' | 'firstResult' | 'agent', readonly number[]>>): Figure[] {
  const reference = median(times.bare);
  const against = `a bare node -e 0 (${digits(reference)} ms)`;
  const figure = (name: string, ms: readonly number[]): Figure =>
    costFigure({ name: `start: ${name}`, value: median(ms), unit: 'ms', reference, against });
  return [figure('up, then run, to the first result', times.firstResult), figure('an agent, to ready', times.agent)];
}

function memoryFigures(memory: Readonly<Record<Role, number>>): Figure[] {
  const reference = memory.bare / MIB;
  const against = `a bare Node that waits (${digits(reference)} MiB)`;
  return Object.entries(ROLES).map(([role, name]) => {
    const value = memory[role as Role] / MIB;
    return costFigure({ name: `start: idle memory of ${name}`, value, unit: 'MiB', reference, against });
  });
}

async function timeBareNode(sandbox: Sandbox): Promise<number> {
  const startedAt = performance.now();
  await ended(bareNode(sandbox, '0'), BARE_MS_MAX);
  return performance.now() - startedAt;
}

async function timeFirstResult(sandbox: Sandbox): Promise<number> {
  const startedAt = performance.now();
  await sandbox.json(['up']);
  try {
    const { succeeded } = await sandbox.json<RunJson>(['run', 'noop', '--set', 'count=1']);
    if (succeeded !== 1) throw new Error(`${succeeded} of 1 task succeeded`);
    return performance.now() - startedAt;
  } finally {
    await sandbox.regatta(['down']);
  }
}

async function timeAgent(sandbox: Sandbox): Promise<number> {
  const coordinator = await startCoordinator('127.0.0.1:0', sandbox.directory);
  try {
    const startedAt = performance.now();
    const agent = await startAgent('timed', coordinator.address, sandbox.directory);
    const ms = performance.now() - startedAt;
    agent.child.kill();
    await ended(agent.child, END_MS_MAX);
    return ms;
  } finally {
    coordinator.child.kill();
    await ended(coordinator.child, END_MS_MAX);
  }
}

/** In bytes, the median over processes of a role. */
async function measureMemory(sandbox: Sandbox): Promise<Record<Role, number>> {
  const { coordinator, nodes } = await sandbox.json<StatusJson>(['up']);
  const bare = bareNode(sandbox, 'setInterval(() => {}, 60_000)');
  try {
    await sleep(SETTLE_MS);
    const hosts = nodes.flatMap(({ pid }) => childrenOf(pid));
    return {
      coordinator: rssOf(coordinator.pid!),
      agent: median(nodes.map(({ pid }) => rssOf(pid))),
      host: median(hosts.map(rssOf)),
      bare: rssOf(bare.pid!),
    };
  } finally {
    bare.kill();
    await sandbox.regatta(['down']);
  }
}

/** In the sandbox, so that an interrupted bench finds it. */
const bareNode = (sandbox: Sandbox, script: string): ChildProcess =>
  spawn(process.execPath, ['-e', script], { stdio: 'ignore', env: sandbox.environment() });

async function ended(child: ChildProcess, msMax: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await within(msMax, `process ${child.pid} to end`, once(child, 'exit'));
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself in the meantime.
  }
}
