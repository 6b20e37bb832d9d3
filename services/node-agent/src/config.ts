/** The agent's options: flag over environment over default, checked before anything is opened. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { checkListen, checkNats, isInsecure, joinToken, readToken, TokenReader, takeSecret } from '@regatta/access';
import { hasCredentials, type NatsFlags, type NatsSite, resolveNats } from '@regatta/broker';
import { messageOf } from '@regatta/kernel';
import { Command, InvalidArgumentError, Option } from 'commander';
import { limits } from './limits.ts';
import type { MetricsOptions } from './observe/observing.ts';

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

const HOST_MEMORY_LEAST_MIB = limits.hostMemorySettableBytesMin / 2 ** 20;

/** @param argv as process.argv. Ends the process with code 2 and one line where an option is wrong. */
export function readConfig(argv: readonly string[]): Config {
  const program = new Command('regatta-node-agent')
    .description('Works on chunks for a Regatta coordinator, in local processes and threads')
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
    .addOption(new Option('--id <name>', 'this node among its peers; unique').env('REGATTA_NODE_ID').argParser(nodeId))
    .addOption(
      new Option('--nats <url,...>', 'servers of one NATS; default: those that the coordinator says').env(
        'REGATTA_NATS',
      ),
    )
    .addOption(new Option('--nats-user <name>', 'who to be there').env('REGATTA_NATS_USER'))
    .addOption(
      new Option('--nats-password-file <file>', 'that holds the password of that user').env(
        'REGATTA_NATS_PASSWORD_FILE',
      ),
    )
    .addOption(
      new Option('--nats-token-file <file>', 'that holds a token, where NATS asks for one instead').env(
        'REGATTA_NATS_TOKEN_FILE',
      ),
    )
    // Not Commander's env(): it takes a variable that is empty or 0 for a yes.
    .option('--insecure', 'use NATS on another host without credentials (env: REGATTA_INSECURE=1)')
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
    )
    .addOption(
      new Option(
        '--drain <seconds>',
        'told to end by SIGTERM, finish what it has for so long; then others get the rest',
      )
        .env('REGATTA_DRAIN')
        .default(limits.drainSDefault)
        .argParser(seconds),
    )
    .addOption(
      new Option('--metrics <host:port>', 'where metrics and health are served over HTTP; port 0 for any free one')
        .env('REGATTA_METRICS')
        .argParser((text) => (text === '' || /^.+:0$/.test(text) ? text : hostsAndPorts(text)[0])),
    )
    .addOption(
      new Option('--metrics-token-file <file>', 'that holds a token that Prometheus must show').env(
        'REGATTA_METRICS_TOKEN_FILE',
      ),
    )
    .addOption(
      new Option('--advertise-metrics <host:port>', 'where Prometheus reaches them, if not where they are served')
        .env('REGATTA_ADVERTISE_METRICS')
        .argParser((text) => (text === '' ? text : hostsAndPorts(text)[0])),
    )
    .addOption(
      new Option('--log-level <level>', 'what to log')
        .env('REGATTA_LOG_LEVEL')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info'),
    )
    .addOption(new Option('--ends-with-parent', 'end when the process that started this one does').hideHelp())
    .addHelpText(
      'after',
      '\nExample:\n  regatta-node-agent --coordinator 10.0.0.5:7420,10.0.0.6:7420 --token-file join-token --id rack1-a',
    )
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  const options = program.parse(argv).opts();
  const access = accessOf(options, (line) => program.error(`error: ${line}`, { exitCode: 2 }));
  // It may hold a password, and host processes with user code inherit what is left here.
  delete process.env.REGATTA_NATS;
  return {
    ...access,
    coordinators: options.coordinator,
    id: options.id || `${hostname()}-${randomUUID().slice(0, 8)}`,
    cores: options.cores,
    prestart: options.prestart,
    drainMs: 1_000 * options.drain,
    logLevel: options.logLevel,
    hostTasks: options.hostTasks,
    hostMemoryBytes: options.hostMemory,
    endsWithParent: options.endsWithParent === true,
  };
}

function hostsAndPorts(text: string): string[] {
  return text.split(',').map((one) => {
    const port = Number(/^.+:(\d{1,5})$/.exec(one.trim())?.[1]);
    if (port >= 1 && port <= 65_535) return one.trim();
    throw new InvalidArgumentError('Give HOST:PORT, with a port from 1 to 65535; more of them with commas.');
  });
}

type AccessFlags = NatsFlags & MetricsFlags & { readonly tokenFile?: string; readonly insecure?: boolean };

interface MetricsFlags {
  readonly metrics?: string;
  readonly metricsTokenFile?: string;
  readonly advertiseMetrics?: string;
}

/** Secrets, and what is open to others. @param refuse ends the process, with a line about what is wrong */
function accessOf(
  flags: AccessFlags,
  refuse: (line: string) => never,
): Pick<Config, 'token' | 'nats' | 'metrics' | Exposure> {
  try {
    const insecure = isInsecure(flags.insecure);
    const token = new TokenReader(joinToken(flags.tokenFile, takeSecret('REGATTA_TOKEN')));
    const nats = resolveNats(flags, true);
    const servers = nats?.servers ?? [];
    const warning = checkNats({ servers, hasCredentials: nats !== undefined && hasCredentials(nats), insecure });
    const metrics = metricsOf(flags, insecure);
    const warnings = [warning, metrics?.warning].filter((line) => line !== undefined);
    return { token, nats, metrics: metrics?.options, insecure, warnings };
  } catch (thrown) {
    return refuse(messageOf(thrown));
  }
}

type Exposure = 'insecure' | 'warnings';

/** @throws RegattaError INSECURE_LISTEN, BAD_SECRET, BAD_TOKEN */
function metricsOf({ metrics, metricsTokenFile, advertiseMetrics }: MetricsFlags, insecure: boolean) {
  const source = { option: '--metrics-token-file', variable: '' };
  const token = readToken({ ...(metricsTokenFile && { file: metricsTokenFile }), ...source });
  if (!metrics) return undefined;
  const warning = checkListen({ address: metrics, hasToken: token !== undefined, insecure, what: 'metrics' });
  return { options: { listen: metrics, token, advertise: advertiseMetrics || undefined }, warning };
}

/** Nothing for one that is made up. */
function nodeId(text: string): string | undefined {
  if (text === '') return undefined;
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text)) return text;
  throw new InvalidArgumentError('Use 1 to 63 letters, digits, dots, hyphens and underscores.');
}

function count(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= limits.coresMax) return value;
  throw new InvalidArgumentError(`Give a whole number from 1 to ${limits.coresMax}.`);
}

function taskCount(text: string): number {
  const value = Number(text.replaceAll('_', ''));
  if (Number.isInteger(value) && value >= 1 && value <= limits.hostTasksSettableMax) return value;
  throw new InvalidArgumentError(`Give a whole number from 1 to ${limits.hostTasksSettableMax}.`);
}

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= limits.drainSettableSMax) return value;
  throw new InvalidArgumentError(`Give seconds, from 0 to ${limits.drainSettableSMax}.`);
}

/** In bytes. */
function memorySize(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*(MiB|GiB)$/i.exec(text) ?? [];
  const mebibytes = Number(digits) * (unit?.toLowerCase() === 'gib' ? 1024 : 1);
  if (mebibytes >= HOST_MEMORY_LEAST_MIB) return Math.floor(mebibytes * 2 ** 20);
  throw new InvalidArgumentError(`Give a size such as 512MiB or 2GiB, at least ${HOST_MEMORY_LEAST_MIB}MiB.`);
}
