import { RegattaError } from '@regatta/kernel';
import type { Command } from 'commander';
import { exitCode } from '../exit.ts';
import { submitAndFollow } from '../follow.ts';
import { clusterCommand, example } from '../options.ts';
import { print, printJson, remark } from '../output.ts';
import { failureText, runObject, runSummary } from '../render/run.ts';
import { checkWritable, collect, valuesOf, writeResultFile } from '../results.ts';
import { addRunOptions, planRun, type RunOptions } from '../run-options.ts';
import { type ClusterOptions, withAnyCluster } from '../session.ts';
import type { RunView } from '../views.ts';

interface Options extends RunOptions, ClusterOptions {
  readonly json?: boolean;
  readonly out?: string;
}

export function addRunCommand(program: Command, interrupted: AbortSignal): void {
  const command = clusterCommand(addRunOptions(program.command('run')))
    .argument('<workload>', 'see regatta workloads')
    .description('run a workload and print its result')
    .option('--out <file>', 'write the file that the workload makes of its results')
    .action(async (name: string, options: Options) => {
      process.exitCode = await run(name, options, interrupted);
    });
  example(
    command,
    'regatta run number-cruncher --set n=1_000_000 --set count=100',
    'regatta run mandelbrot --model threads --out picture.png',
    'regatta run synthetic --set failureRate=0.1 --retries 3 --json',
  );
}

async function run(name: string, options: Options, interrupted: AbortSignal): Promise<number> {
  const planned = planRun(name, options);
  if (options.out !== undefined && planned.workload.file === undefined) {
    throw new RegattaError('NO_FILE', `${name} makes no file of its results: leave out --out`);
  }
  if (options.out !== undefined) checkWritable(options.out);
  return withAnyCluster(options, async (client) => {
    const view = await submitAndFollow(client, planned, name, interrupted);
    // Of a run that was stopped there is no whole to combine.
    const parts = view.state === 'cancelled' ? [] : await collect(client, view.runId);
    const value = view.state === 'cancelled' ? null : planned.workload.combine(valuesOf(parts), planned.params);
    if (view.state !== 'cancelled' && options.out !== undefined) writeResultFile(planned, parts, options.out);
    if (options.json) printJson(runObject(view, { value }));
    else present(view, value, view.spec.kind === 'io' && options.transport === undefined);
    if (interrupted.aborted) return exitCode.interrupted;
    return view.state === 'succeeded' ? exitCode.succeeded : exitCode.taskFailed;
  });
}

/** @param wantsNats it is of the kind that goes over NATS where there is one, and was told nothing else */
function present(view: RunView, value: unknown, wantsNats: boolean): void {
  if (value !== null) print(JSON.stringify(value, undefined, 2));
  remark(runSummary(view, wantsNats && view.spec.transport === 'grpc'));
  if (view.failed > 0) remark(failureText(view));
}
