/** The agent's options, by what they are about, in the order in which its help tells them. */
import { type NatsFlags, natsOptions } from '@regatta/broker';
import { type MetricsFlags, metricsOptions } from '@regatta/observe/options';
import { type Command, Option } from 'commander';
import { limits } from '../limits.ts';
import { count, hostAndPort, hostsAndPorts, listenAddress, memorySize, nodeId, seconds, taskCount } from './parsers.ts';

/** As Commander gives them. */
export interface Flags extends NatsFlags, MetricsFlags {
  readonly coordinator: readonly string[];
  readonly tokenFile?: string;
  readonly id?: string;
  readonly insecure?: boolean;
  readonly cores?: number;
  readonly prestart?: number;
  readonly hostTasks: number;
  readonly hostMemory?: number;
  /** Seconds. */
  readonly drain: number;
  readonly advertiseMetrics?: string;
  readonly logLevel: string;
  readonly endsWithParent?: boolean;
}

export function addOptions(program: Command): Command {
  for (const add of [addCluster, addNats, addHosts, addDrain, addMetrics, addProcess]) add(program);
  return program;
}

/** One that both services have, as the package says that knows what it is about. */
const optionOf = (one: { readonly flags: string; readonly text: string; readonly env: string }): Option =>
  new Option(one.flags, one.text).env(one.env);

function addCluster(program: Command): void {
  program
    .addOption(
      new Option('--coordinator <host:port,...>', 'where the coordinator listens; all of them, where there are several')
        .env('REGATTA_COORDINATOR')
        .default(['127.0.0.1:7420'], '127.0.0.1:7420')
        .argParser(hostsAndPorts),
    )
    .addOption(
      new Option(
        '--token-file <file>',
        'that holds the token that the coordinator wants, read anew for each connection; or REGATTA_TOKEN is the token',
      ).env('REGATTA_TOKEN_FILE'),
    )
    .addOption(new Option('--id <name>', 'this node among its peers; unique').env('REGATTA_NODE_ID').argParser(nodeId));
}

function addNats(program: Command): void {
  const options = natsOptions('servers of one NATS; default: those that the coordinator says');
  for (const option of options) program.addOption(optionOf(option));
  // Not Commander's env(): it takes a variable that is empty or 0 for a yes.
  program.option('--insecure', 'use NATS on another host without credentials (env: REGATTA_INSECURE=1)');
}

function addHosts(program: Command): void {
  program
    .addOption(new Option('--cores <n>', 'instead of what the machine allows').env('REGATTA_CORES').argParser(count))
    .addOption(new Option('--prestart <n>', 'host processes to keep ready; default: one a core').argParser(count))
    .addOption(
      new Option('--host-tasks <n>', 'replace a host process after so many tasks')
        .env('REGATTA_HOST_TASKS')
        .default(limits.hostTasksMax)
        .argParser(taskCount),
    )
    .addOption(
      new Option(
        '--host-memory <size>',
        'kill a host process that takes more: 512MiB, 2GiB; default: three quarters of memory, by cores',
      )
        .env('REGATTA_HOST_MEMORY')
        .argParser(memorySize),
    );
}

function addDrain(program: Command): void {
  program.addOption(
    new Option('--drain <seconds>', 'told to end by SIGTERM, finish what it has for so long; then others get the rest')
      .env('REGATTA_DRAIN')
      .default(limits.drainSDefault)
      .argParser(seconds),
  );
}

function addMetrics(program: Command): void {
  program
    .addOption(optionOf(metricsOptions.listen).argParser(listenAddress))
    .addOption(optionOf(metricsOptions.tokenFile))
    .addOption(
      new Option('--advertise-metrics <host:port>', 'where Prometheus reaches them, if not where they are served')
        .env('REGATTA_ADVERTISE_METRICS')
        .argParser(hostAndPort),
    );
}

function addProcess(program: Command): void {
  program
    .addOption(
      new Option('--log-level <level>', 'what to log')
        .env('REGATTA_LOG_LEVEL')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info'),
    )
    .addOption(new Option('--ends-with-parent', 'end when the process that started this one does').hideHelp());
}
