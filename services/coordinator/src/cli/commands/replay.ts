import type { Command } from 'commander';
import { exitCode } from '../exit.ts';
import { clusterCommand, example } from '../options.ts';
import { print, printJson } from '../output.ts';
import { replayText } from '../render/replay.ts';
import { type ClusterOptions, withCluster } from '../session.ts';

export function addReplayCommand(program: Command): void {
  const command = clusterCommand(program.command('replay'))
    .argument('<run>', 'see regatta runs')
    .description('let the scheduler decide again what the journal of a run says it decided, and compare')
    .action((runId: string, options: ClusterOptions & { json?: boolean }) =>
      withCluster(options, async (client) => {
        const replay = await client.replay(runId);
        if (options.json) printJson({ runId, ...replay });
        else print(replayText(runId, replay));
        process.exitCode = replay.identical ? exitCode.succeeded : exitCode.taskFailed;
      }),
    );
  example(command, 'regatta replay run-mi8x3k2f-0');
}
