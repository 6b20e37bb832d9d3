/** up, down, status, serve: the cluster on this machine. */
import { tmpdir } from 'node:os';
import { checkListen, checkNats, isInsecure } from '@regatta/access';
import { hasCredentials, type NatsFlags, type NatsSite, resolveNats } from '@regatta/broker';
import { counted } from '@regatta/kernel';
import { type Command, Option } from 'commander';
import { AGENTS_DEFAULT, down, findCluster, hasLostNats, up } from '../../embedded/cluster.ts';
import { type ClusterState, readState, stateDirectory } from '../../embedded/state.ts';
import { limits } from '../../engine/limits.ts';
import { limits as journalLimits } from '../../journal/limits.ts';
import { exitCode } from '../exit.ts';
import { limits as cliLimits } from '../limits.ts';
import { addMetricsOptions, type MetricsFlags, metricsOf } from '../metrics-options.ts';
import { addNatsOptions, advertisedNats, advertiseNatsOption } from '../nats-options.ts';
import { clusterCommand, example, jsonOption, listenAddress, wholeNumber, writableFolder } from '../options.ts';
import { print, printJson, remark } from '../output.ts';
import { insecureText, natsText, statusObject, verboseObject, verboseText } from '../render/status.ts';
import { type ClusterOptions, withCluster } from '../session.ts';
import { insecureOption, tokenFileOption, tokenIn } from '../token.ts';
import { nodesTable } from './nodes.ts';

const LISTEN_DEFAULT = '127.0.0.1:7420';
const MAY_START_A_CLUSTER: ReadonlySet<string> = new Set(['up', 'demo', 'run', 'race']);

const listenOption = (): Option =>
  new Option('--listen <host:port>', 'where the coordinator listens; port 0 for any free one')
    .env('REGATTA_LISTEN')
    .argParser(listenAddress);

export function addClusterCommands(program: Command, version: string, interrupted: AbortSignal): void {
  addUp(program, interrupted);
  addDown(program);
  addStatus(program);
  addServe(program, version);
  for (const command of program.commands.filter((c) => MAY_START_A_CLUSTER.has(c.name()))) addNoNats(command);
}

/** By environment, as what else an embedded cluster is told (REGATTA_STATE_DIR): all four commands start it alike. */
function addNoNats(command: Command): void {
  command
    .addOption(
      new Option('--no-nats', 'a cluster that is started here goes without NATS: no journal, I/O runs over gRPC').env(
        'REGATTA_NO_NATS',
      ),
    )
    .hook('preAction', () => {
      if (command.opts().nats === false) process.env.REGATTA_NO_NATS = '1';
    });
}

function addUp(program: Command, interrupted: AbortSignal): void {
  const command = program
    .command('up')
    .description('start a cluster on this machine: a coordinator and node-agents')
    .option('--agents <n>', 'node-agents to start', wholeNumber(1, cliLimits.agentsMax), AGENTS_DEFAULT)
    .addOption(listenOption().default('127.0.0.1:0'))
    .addOption(tokenFileOption('a token that is to be shown by whoever uses it'))
    .addOption(insecureOption('let other hosts in without a token'))
    .addOption(jsonOption())
    .action(async ({ agents, listen, json, tokenFile, insecure: flag }: UpFlags) => {
      const [token, insecure] = [tokenIn(tokenFile), isInsecure(flag)];
      const warning = checkListen({ address: listen, hasToken: token !== undefined, insecure, what: 'grpc' });
      const state = await up(listen, agents, { token, insecure }, interrupted);
      if (warning !== undefined) remark(warning);
      await withCluster({ coordinator: [state.address], ...(tokenFile && { tokenFile }) }, async (client) => {
        const [nodes, coordinator] = await Promise.all([client.nodes(), client.status()]);
        if (json) printJson(statusObject(state.address, coordinator, nodes, state));
        else print(`Cluster up at ${state.address} with ${counted(nodes.length, 'node')}; logs in ${stateDirectory()}`);
      });
    });
  example(command, 'regatta up --agents 2');
}

function addDown(program: Command): void {
  const command = program
    .command('down')
    .description('end the cluster that up started')
    .addOption(jsonOption())
    .action(async ({ json }: { json?: boolean }) => {
      const ended = await down();
      if (json) printJson({ ended: ended !== undefined, address: ended?.address ?? null });
      else print(ended === undefined ? 'No cluster was up.' : `Cluster at ${ended.address} ended.`);
    });
  example(command, 'regatta down');
}

function addStatus(program: Command): void {
  const command = clusterCommand(program.command('status'))
    .description('how the cluster stands: coordinator and nodes')
    .option('--verbose', 'the limits that they keep to as well, and how the coordinator does')
    .action(async (options: ClusterOptions & { json?: boolean; verbose?: boolean }) => {
      const up = options.coordinator === undefined ? readState() : undefined;
      if (up !== undefined) tellOfLosses(up);
      await withCluster(options, async (client) => {
        const [nodes, coordinator] = await Promise.all([client.nodes(), client.status()]);
        const status = statusObject(client.address, coordinator, nodes, up);
        if (options.json) return printJson(options.verbose ? verboseObject(status, coordinator, nodes) : status);
        print(`Coordinator at ${client.address}, pid ${coordinator.pid}`);
        print(natsText(coordinator, up));
        if (coordinator.metricsUrl !== '') print(`metrics: ${coordinator.metricsUrl}`);
        if (coordinator.insecure.length > 0) print(insecureText(coordinator));
        print(nodesTable(nodes));
        if (options.verbose) print(verboseText(coordinator, nodes));
      });
    });
  example(command, 'regatta status --json', 'regatta status --verbose');
}

/** What `up` started and something else ended. */
function tellOfLosses(state: ClusterState): void {
  if (findCluster() === undefined) {
    process.stderr.write('The coordinator that up started is gone; regatta down clears what is left of it.\n');
  } else if (hasLostNats(state)) {
    process.stderr.write('The nats-server that up started is gone; regatta down, then regatta up, starts another.\n');
  }
}

function addServe(program: Command, version: string): void {
  const natsFor = 'servers of one NATS with JetStream, for the journal and I/O runs';
  const command = addNatsOptions(addMetricsOptions(program.command('serve')), natsFor)
    .description('run a coordinator in the foreground, for node-agents on other hosts to dial')
    .addOption(listenOption().default(LISTEN_DEFAULT))
    .addOption(tokenFileOption('the token that nodes and clients must show'))
    .addOption(insecureOption('let other hosts in without a token, and use NATS on another one without credentials'))
    .addOption(advertiseNatsOption())
    .addOption(
      new Option('--nats-replicas <n>', 'copies of the journal and the queues, on different servers of a NATS cluster')
        .env('REGATTA_NATS_REPLICAS')
        .choices(['1', '3', '5'])
        .default('1'),
    )
    .addOption(
      new Option(
        '--snapshot-bytes <n>',
        'steps in the journal after which a snapshot is taken: fewer make a take-over quicker',
      )
        .env('REGATTA_SNAPSHOT_BYTES')
        .default(journalLimits.bytesPerSnapshot)
        .argParser(wholeNumber(journalLimits.bytesPerSnapshotMin, journalLimits.bytesPerSnapshotMax)),
    )
    .addOption(
      new Option('--advertise <host:port>', 'where nodes and clients reach this coordinator, if not where it listens')
        .env('REGATTA_ADVERTISE')
        .argParser(listenAddress),
    )
    .addOption(
      new Option('--spill-dir <folder>', 'where results and inputs go that do not fit in memory')
        .env('REGATTA_SPILL_DIR')
        .default(tmpdir(), "the system's place for temporary files")
        .argParser(writableFolder),
    )
    .addOption(
      new Option('--explain-after <ms>', 'after so long without a task ended a run is explained in the log')
        .env('REGATTA_NO_PROGRESS_MS')
        .default(limits.noProgressMs)
        .argParser(wholeNumber(limits.noProgressMsMin, limits.noProgressMsMax)),
    )
    .addOption(
      new Option('--log-level <level>', 'what to log')
        .env('REGATTA_LOG_LEVEL')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info'),
    )
    .addOption(new Option('--ends-with-parent', 'end when the process that started this one does').hideHelp())
    .action(async (options: ServeFlags) => {
      const token = tokenIn(options.tokenFile);
      const site = resolveNats(options);
      const nats = site && { ...site, name: 'regatta coordinator' };
      const natsAdvertised = advertisedNats(options.advertiseNats, site !== undefined);
      const metrics = metricsOf(options, token, isInsecure(options.insecure));
      const insecure = [
        ...exposureOf(options, token !== undefined, site),
        ...(metrics?.warning ? [metrics.warning] : []),
      ];
      const { serve } = await import('../../serve.ts');
      const natsReplicas = Number(options.natsReplicas);
      await serve({
        ...options,
        nats,
        natsAdvertised,
        token,
        insecure,
        metrics: metrics?.options,
        natsReplicas,
        version,
        endsWithParent: options.endsWithParent === true,
      });
      process.exitCode = exitCode.succeeded;
    });
  example(command, 'regatta serve --listen 10.0.0.5:7420 --token-file join-token');
}

interface UpFlags {
  readonly agents: number;
  readonly listen: string;
  readonly tokenFile?: string;
  readonly insecure?: boolean;
  readonly json?: boolean;
}

/** What to warn of. @throws RegattaError INSECURE_LISTEN, INSECURE_NATS, before anything is opened */
function exposureOf(options: ServeFlags, hasToken: boolean, nats: NatsSite | undefined): string[] {
  const insecure = isInsecure(options.insecure);
  const lines = [
    checkListen({ address: options.listen, hasToken, insecure, what: 'grpc' }),
    nats && checkNats({ servers: nats.servers, hasCredentials: hasCredentials(nats), insecure }),
  ];
  return lines.filter((line) => line !== undefined);
}

interface ServeFlags extends NatsFlags, MetricsFlags {
  readonly listen: string;
  readonly tokenFile?: string;
  readonly insecure?: boolean;
  readonly spillDir: string;
  readonly explainAfter: number;
  readonly advertise?: string;
  readonly advertiseNats?: string;
  readonly natsReplicas: string;
  readonly snapshotBytes: number;
  readonly logLevel: string;
  readonly endsWithParent?: boolean;
}
