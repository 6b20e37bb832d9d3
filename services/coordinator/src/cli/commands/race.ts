import type { Command } from 'commander';
import { planRace, RACE_REPEATS_DEFAULT, race } from '../../advisor/race.ts';
import { limits } from '../../engine/limits.ts';
import { exitCode } from '../exit.ts';
import { limits as cliLimits } from '../limits.ts';
import { clusterCommand, example, setting, wholeNumber } from '../options.ts';
import { print, printJson } from '../output.ts';
import { raceText } from '../render/race.ts';
import { addPolitenessOptions, type PolitenessOptions } from '../run-options.ts';
import { type ClusterOptions, withAnyCluster } from '../session.ts';

interface Options extends ClusterOptions, PolitenessOptions {
  readonly json?: boolean;
  readonly set?: Readonly<Record<string, string>>;
  readonly repeat: number;
  readonly concurrency?: number;
}

export function addRaceCommand(program: Command, interrupted: AbortSignal): void {
  const command = clusterCommand(addPolitenessOptions(program.command('race')))
    .argument('<workload>', 'see regatta workloads')
    .description('run a workload under every model and say which fits')
    .option('--set <name=value>', "one of the workload's inputs; repeat for more", setting)
    .option('--repeat <n>', 'measured runs of each entry', wholeNumber(1, cliLimits.repeatsMax), RACE_REPEATS_DEFAULT)
    .option(
      '--concurrency <n>',
      'tasks in flight a thread, for async and hybrid',
      wholeNumber(1, limits.concurrencyMax),
    )
    .action(async (name: string, options: Options) => {
      const planned = planRace(name, options.set, options);
      process.exitCode = await withAnyCluster(options, async (client) => {
        const result = await race(client, planned, options, interrupted);
        if (options.json) printJson(result);
        else print(raceText(result));
        return result.verdict === null ? exitCode.taskFailed : exitCode.succeeded;
      });
    });
  example(command, 'regatta race number-cruncher', 'regatta race mandelbrot --set width=1280 --set height=960 --json');
}
