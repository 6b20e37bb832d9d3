import type { Command } from 'commander';
import { planRace, RACE_REPEATS_DEFAULT, race } from '../../advisor/race.ts';
import { exitCode } from '../exit.ts';
import { example, jsonOption } from '../options.ts';
import { print, printJson, remark } from '../output.ts';
import { raceText } from '../render/race.ts';
import { withOwnCluster } from '../session.ts';

const INTRODUCTION = `20 sums of squares, n = 5,000,000 + x, under every concurrency model on this machine.
The common rule says: CPU work belongs in processes, one a core. Let us measure.
`;

export function addDemoCommand(program: Command, interrupted: AbortSignal): void {
  const command = program
    .command('demo')
    .description('start a cluster here, race number-cruncher, clean up')
    .addOption(jsonOption())
    .action(async (options: { json?: boolean }) => {
      remark(INTRODUCTION);
      process.exitCode = await withOwnCluster(async (client) => {
        const result = await race(client, planRace('number-cruncher'), { repeat: RACE_REPEATS_DEFAULT }, interrupted);
        if (options.json) printJson(result);
        else print(raceText(result));
        return result.verdict === null ? exitCode.taskFailed : exitCode.succeeded;
      });
    });
  example(command, 'npm run demo');
}
