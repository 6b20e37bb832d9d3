/** The agent's options: flag over environment over default, checked before anything is opened. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { BrokerOptions } from '@regatta/broker';
import { Command, InvalidArgumentError, Option } from 'commander';
import { limits } from './limits.ts';

export interface Config {
  /** HOST:PORT each, of one cluster: the one that leads is found among them. */
  readonly coordinators: readonly string[];
  readonly id: string;
  /** Undefined for the one that the coordinator says, if any. */
  readonly nats: Omit<BrokerOptions, 'name'> | undefined;
  /** Instead of what the machine allows; undefined to ask the machine. */
  readonly cores: number | undefined;
  readonly prestart: number | undefined;
  /** After so many tasks a host process is replaced. */
  readonly hostTasks: number;
  /** Resident memory of a host process; undefined for a share of the machine's. */
  readonly hostMemoryBytes: number | undefined;
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
    .addOption(new Option('--id <name>', 'this node among its peers; unique').env('REGATTA_NODE_ID').argParser(nodeId))
    .addOption(
      new Option('--nats <url,...>', 'servers of one NATS; default: those that the coordinator says')
        .env('REGATTA_NATS')
        .argParser(natsServers),
    )
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
      new Option('--log-level <level>', 'what to log')
        .env('REGATTA_LOG_LEVEL')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info'),
    )
    .addOption(new Option('--ends-with-parent', 'end when the process that started this one does').hideHelp())
    .addHelpText(
      'after',
      '\nExample:\n  regatta-node-agent --coordinator 10.0.0.5:7420,10.0.0.6:7420 --nats 10.0.0.9:4222 --id rack1-a',
    )
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  const options = program.parse(argv).opts();
  // It may hold a password, and host processes with user code inherit what is left here.
  delete process.env.REGATTA_NATS;
  return {
    coordinators: options.coordinator,
    id: options.id ?? `${hostname()}-${randomUUID().slice(0, 8)}`,
    // What parses to nothing Commander makes an empty text of.
    nats: options.nats || undefined,
    cores: options.cores,
    prestart: options.prestart,
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

/** `[nats://|tls://][user:password@]host[:port]`, or a token as the user; empty for none. */
function natsServers(text: string): Config['nats'] {
  if (text === '') return undefined;
  const urls = text.split(',').map((part) => URL.parse(part.includes('://') ? part : `nats://${part}`));
  const servers = urls.flatMap((url) => (/^(nats|tls):$/.test(url?.protocol ?? '') && url?.hostname ? [url] : []));
  if (servers.length < urls.length) throw new InvalidArgumentError('Give nats://HOST:PORT, more of them with commas.');
  const { username = '', password = '' } = servers.find((url) => url.username !== '') ?? {};
  const [name, secret] = [unescaped(username), unescaped(password)];
  return {
    servers: servers.map(({ protocol, hostname, port }) => `${protocol}//${hostname}:${port || 4222}`),
    ...(name !== '' && (secret === '' ? { token: name } : { user: name, password: secret })),
  };
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new InvalidArgumentError('Write a % in a user or password as %25.');
  }
}

function nodeId(text: string): string {
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

/** In bytes. */
function memorySize(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*(MiB|GiB)$/i.exec(text) ?? [];
  const mebibytes = Number(digits) * (unit?.toLowerCase() === 'gib' ? 1024 : 1);
  if (mebibytes >= HOST_MEMORY_LEAST_MIB) return Math.floor(mebibytes * 2 ** 20);
  throw new InvalidArgumentError(`Give a size such as 512MiB or 2GiB, at least ${HOST_MEMORY_LEAST_MIB}MiB.`);
}
