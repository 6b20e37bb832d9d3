/** What the agent was told: flag over environment over default, checked before anything is opened. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { TokenReader } from '@regatta/access';
import type { NatsSite } from '@regatta/broker';
import { messageOf } from '@regatta/kernel';
import { Command } from 'commander';
import type { MetricsOptions } from '../observe/observing.ts';
import { accessOf } from './access.ts';
import { addOptions, type Flags } from './options.ts';

export interface Config {
  /** HOST:PORT each, of one cluster: the one that leads is found among them. */
  readonly coordinators: readonly string[];
  /** That coordinators are shown. */
  readonly token: TokenReader;
  readonly id: string;
  /** No servers for those that the coordinator says, if any; undefined where nothing is known of it. */
  readonly nats: NatsSite | undefined;
  /** What is open to other hosts is to be put up with. */
  readonly insecure: boolean;
  /** What to warn of, a line each. */
  readonly warnings: readonly string[];
  /** Undefined to tell none. */
  readonly metrics: MetricsOptions | undefined;
  /** Instead of what the machine allows; undefined to ask the machine. */
  readonly cores: number | undefined;
  readonly prestart: number | undefined;
  /** After so many tasks a host process is replaced. */
  readonly hostTasks: number;
  /** Resident memory of a host process; undefined for a share of the machine's. */
  readonly hostMemoryBytes: number | undefined;
  /** Told to end, it finishes what it has for so long. */
  readonly drainMs: number;
  readonly logLevel: string;
  readonly endsWithParent: boolean;
}

/** @param argv as process.argv. Ends the process with code 2 and one line where an option is wrong. */
export function readConfig(argv: readonly string[]): Config {
  const program = programOf();
  const flags = program.parse(argv).opts<Flags>();
  const access = accessIn(flags, program);
  // It may hold a password, and host processes with user code inherit what is left here.
  delete process.env.REGATTA_NATS;
  return {
    ...access,
    coordinators: flags.coordinator,
    id: flags.id || `${hostname()}-${randomUUID().slice(0, 8)}`,
    cores: flags.cores,
    prestart: flags.prestart,
    drainMs: 1_000 * flags.drain,
    logLevel: flags.logLevel,
    hostTasks: flags.hostTasks,
    hostMemoryBytes: flags.hostMemory,
    endsWithParent: flags.endsWithParent === true,
  };
}

const programOf = (): Command =>
  addOptions(new Command('regatta-node-agent'))
    .description('Works on chunks for a Regatta coordinator, in local processes and threads')
    .addHelpText(
      'after',
      '\nExample:\n  regatta-node-agent --coordinator 10.0.0.5:7420,10.0.0.6:7420 --token-file join-token --id rack1-a',
    )
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

function accessIn(flags: Flags, program: Command): ReturnType<typeof accessOf> {
  try {
    return accessOf(flags);
  } catch (thrown) {
    return program.error(`error: ${messageOf(thrown)}`, { exitCode: 2 });
  }
}
