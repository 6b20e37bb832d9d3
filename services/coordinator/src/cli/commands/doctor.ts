/** doctor: what is wrong with a deployment, and what to do about it. */
import { readSecret } from '@regatta/access';
import { type NatsFlags, resolveNats } from '@regatta/broker';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { DoctorOptions } from '../../doctor/examination.ts';
import { exitCode } from '../exit.ts';
import { natsMonitorOption } from '../metrics-options.ts';
import { addNatsOptions } from '../nats-options.ts';
import { clusterCommand, example } from '../options.ts';
import { print, printJson } from '../output.ts';
import { doctorObject, doctorText, isSound } from '../render/doctor.ts';
import { addressesOf, type ClusterOptions } from '../session.ts';
import { tokenIn } from '../token.ts';

interface DoctorFlags extends ClusterOptions, NatsFlags {
  readonly natsMonitor?: string;
  readonly prometheus?: string;
  readonly grafana?: string;
  readonly grafanaTokenFile?: string;
  readonly json?: boolean;
}

export function addDoctorCommand(program: Command, version: string): void {
  const command = addNatsOptions(
    clusterCommand(program.command('doctor')),
    'servers of one NATS to look at; default: those that the coordinator says',
  )
    .description('check a deployment, and say of what is not as it should be what to do')
    .addOption(natsMonitorOption("NATS's monitoring port, to look at its disk"))
    .addOption(
      new Option('--prometheus <url>', 'the Prometheus that scrapes this cluster')
        .env('REGATTA_PROMETHEUS')
        .argParser(webUrl),
    )
    .addOption(new Option('--grafana <url>', 'the Grafana that shows it').env('REGATTA_GRAFANA').argParser(webUrl))
    .addOption(
      new Option(
        '--grafana-token-file <file>',
        'that holds a token of a service account there, to look at dashboards',
      ).env('REGATTA_GRAFANA_TOKEN_FILE'),
    )
    .action(async (flags: DoctorFlags) => {
      const options = resolve(flags, version);
      // Not loaded by every other command: it brings the journal's code and that of the queues.
      const { examine } = await import('../../doctor/examination.ts');
      const { findings, reached } = await examine(options);
      if (flags.json) printJson(doctorObject(findings, reached));
      else print(doctorText(findings, process.stdout.isTTY && !process.env.NO_COLOR));
      const code = isSound(findings) ? exitCode.succeeded : exitCode.taskFailed;
      await end(reached ? code : exitCode.unreachable);
    });
  example(
    command,
    'regatta doctor',
    'regatta doctor --prometheus http://127.0.0.1:9090 --grafana http://127.0.0.1:3000',
  );
}

/** @throws RegattaError BAD_NATS, BAD_SECRET, BAD_TOKEN, before anything is asked */
function resolve(flags: DoctorFlags, version: string): DoctorOptions {
  const file = flags.grafanaTokenFile || undefined;
  return {
    coordinators: addressesOf(flags),
    token: tokenIn(flags.tokenFile),
    nats: resolveNats(flags, true),
    // What parses to nothing Commander makes an empty text of.
    natsMonitor: flags.natsMonitor || undefined,
    prometheus: flags.prometheus || undefined,
    grafana: flags.grafana || undefined,
    grafanaToken: file && readSecret(file, '--grafana-token-file'),
    version,
  };
}

/** An address that a browser would take; what stands behind the host is kept, for those behind a proxy. */
function webUrl(text: string): string | undefined {
  if (text === '') return undefined;
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol) && url.username + url.password + url.search + url.hash === '')
    return text;
  throw new InvalidArgumentError('Give http://HOST:PORT or https://HOST, without user and password.');
}

/** At once: sockets of what hangs would keep this process for seconds. Not before all is written, though. */
async function end(code: number): Promise<void> {
  await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
  process.exit(code);
}
