/** The agent's options: flag over environment over default, checked before anything is opened. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';

export interface Config {
  /** HOST:PORT */
  readonly coordinator: string;
  readonly id: string;
  /** Instead of what the machine allows; undefined to ask the machine. */
  readonly cores: number | undefined;
  readonly prestart: number | undefined;
  readonly logLevel: string;
  readonly endsWithParent: boolean;
}

const CORES_MAX = 1024;

/** @param argv as process.argv. Ends the process with code 2 and one line where an option is wrong. */
export function readConfig(argv: readonly string[]): Config {
  const program = new Command('regatta-node-agent')
    .description('Works on chunks for a Regatta coordinator, in local processes and threads')
    .addOption(
      new Option('--coordinator <host:port>', 'where the coordinator listens')
        .env('REGATTA_COORDINATOR')
        .default('127.0.0.1:7420')
        .argParser(hostAndPort),
    )
    .addOption(new Option('--id <name>', 'this node among its peers; unique').env('REGATTA_NODE_ID').argParser(nodeId))
    .addOption(new Option('--cores <n>', 'instead of what the machine allows').env('REGATTA_CORES').argParser(count))
    .addOption(new Option('--prestart <n>', 'host processes to keep ready; default: one a core').argParser(count))
    .addOption(
      new Option('--log-level <level>', 'what to log')
        .env('REGATTA_LOG_LEVEL')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info'),
    )
    .addOption(new Option('--ends-with-parent', 'end when the process that started this one does').hideHelp())
    .addHelpText('after', '\nExample:\n  regatta-node-agent --coordinator 10.0.0.5:7420 --id rack1-a')
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  const options = program.parse(argv).opts();
  return {
    coordinator: options.coordinator,
    id: options.id ?? `${hostname()}-${randomUUID().slice(0, 8)}`,
    cores: options.cores,
    prestart: options.prestart,
    logLevel: options.logLevel,
    endsWithParent: options.endsWithParent === true,
  };
}

function hostAndPort(text: string): string {
  const port = Number(/^.+:(\d{1,5})$/.exec(text)?.[1]);
  if (port >= 1 && port <= 65_535) return text;
  throw new InvalidArgumentError('Give HOST:PORT, with a port from 1 to 65535.');
}

function nodeId(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text)) return text;
  throw new InvalidArgumentError('Use 1 to 63 letters, digits, dots, hyphens and underscores.');
}

function count(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= CORES_MAX) return value;
  throw new InvalidArgumentError(`Give a whole number from 1 to ${CORES_MAX}.`);
}
