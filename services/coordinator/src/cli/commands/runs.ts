/** runs, show, watch, cancel, results, explain: what became of a run. */

import { counted } from '@regatta/kernel';
import type { Command } from 'commander';
import { limits } from '../../engine/limits.ts';
import { exitCode } from '../exit.ts';
import { watchToEnd } from '../follow.ts';
import { clusterCommand, example, wholeNumber } from '../options.ts';
import { print, printJson, remark } from '../output.ts';
import { milliseconds, transportName, whole } from '../render/format.ts';
import { entriesOf, jsonLines, textLines, writeAll } from '../render/results.ts';
import { failureText, runObject, runSummary } from '../render/run.ts';
import { table } from '../render/table.ts';
import { collect } from '../results.ts';
import { type ClusterOptions, withCluster } from '../session.ts';
import { hasEnded, type RunView } from '../views.ts';

type Options = ClusterOptions & { readonly json?: boolean };

const runCommand = (program: Command, name: string): Command =>
  clusterCommand(program.command(name)).argument('<run>', 'see regatta runs');

export function addRunsCommands(program: Command): void {
  addRuns(program);
  addShow(program);
  addWatch(program);
  addCancel(program);
  addResults(program);
  addExplain(program);
}

function addRuns(program: Command): void {
  const command = clusterCommand(program.command('runs'))
    .description('the runs, newest first')
    .option('--limit <n>', 'at most so many', wholeNumber(1, limits.runsListedMax), 50)
    .action((options: Options & { limit: number }) =>
      withCluster(options, async (client) => {
        const runs = await client.runs(options.limit);
        if (options.json) printJson(runs.map((run) => runObject(run)));
        else print(runs.length === 0 ? 'No run yet: regatta run number-cruncher' : runsTable(runs));
      }),
    );
  example(command, 'regatta runs --limit 5');
}

function addShow(program: Command): void {
  const command = runCommand(program, 'show')
    .description('one run: how it went, what it cost, what failed')
    .action((runId: string, options: Options) =>
      withCluster(options, async (client) => {
        const run = await client.run(runId);
        if (options.json) return printJson({ ...runObject(run), spec: run.spec, accounting: run.accounting });
        print(runSummary(run));
        if (run.failed > 0) print(failureText(run));
      }),
    );
  example(command, 'regatta show run-mi8x3k2f-0');
}

function addWatch(program: Command): void {
  const command = runCommand(program, 'watch')
    .description('follow a run to its end; Ctrl-C leaves it running')
    .action((runId: string, options: Options) =>
      withCluster(options, async (client) => {
        const run = await watchToEnd(client, runId, runId);
        if (options.json) printJson(runObject(run));
        else print(runSummary(run));
        process.exitCode = run.state === 'succeeded' ? exitCode.succeeded : exitCode.taskFailed;
      }),
    );
  example(command, 'regatta watch run-mi8x3k2f-0');
}

function addCancel(program: Command): void {
  const command = runCommand(program, 'cancel')
    .description('stop a run; what it has done already counts')
    .action((runId: string, options: Options) =>
      withCluster(options, async (client) => {
        const cancelling = await client.cancel(runId, 'cancelled by regatta cancel');
        const run = cancelling ? await watchToEnd(client, runId, `stopping ${runId}`) : await client.run(runId);
        if (options.json) printJson(runObject(run));
        else print(cancelling ? runSummary(run) : `${runId} had ended already: ${run.state}`);
      }),
    );
  example(command, 'regatta cancel run-mi8x3k2f-0');
}

function addResults(program: Command): void {
  const command = runCommand(program, 'results')
    .description("each task's own result; waits for the run's end")
    .action((runId: string, options: Options) =>
      withCluster(options, async (client) => {
        const entries = entriesOf(await collect(client, runId), await client.run(runId));
        await writeAll(process.stdout, options.json ? jsonLines(entries) : textLines(entries));
      }),
    );
  example(command, 'regatta results run-mi8x3k2f-0 --json');
}

function addExplain(program: Command): void {
  const command = runCommand(program, 'explain')
    .description('why a run is not done yet')
    .action((runId: string, options: Options) =>
      withCluster(options, async (client) => {
        const [{ state, reasons }, run] = await Promise.all([client.explain(runId), client.run(runId)]);
        if (options.json) return printJson({ runId, state, reasons });
        if (hasEnded(run)) return print(`${runId} has ended: ${state}.`);
        remark(
          `${runId} is ${state}: ${counted(run.pending, 'task')} to hand out, ${whole(run.inFlight)} being worked on.`,
        );
        for (const { code, text } of reasons) print(`${code}: ${text}`);
      }),
    );
  example(command, 'regatta explain run-mi8x3k2f-0');
}

const runsTable = (runs: readonly RunView[]): string =>
  table(
    [
      { head: 'run', cell: (r) => r.runId },
      { head: 'workload', cell: (r) => r.spec.workload },
      { head: 'model', cell: (r) => r.spec.model },
      { head: 'by way of', cell: (r) => transportName(r.spec.transport) },
      { head: 'state', cell: (r) => r.state },
      { head: 'tasks', cell: (r) => whole(r.spec.tasks), align: 'right' },
      { head: 'succeeded', cell: (r) => whole(r.succeeded), align: 'right' },
      { head: 'failed', cell: (r) => whole(r.failed), align: 'right' },
      { head: 'wall', cell: (r) => milliseconds(r.wallMs), align: 'right' },
    ],
    runs,
  );
