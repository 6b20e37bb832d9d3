import type { Command } from 'commander';
import { planRace, RACE_REPEATS_DEFAULT, type RaceResult, race } from '../../advisor/race.ts';
import type { Client } from '../client.ts';
import { exitCode } from '../exit.ts';
import { example, jsonOption } from '../options.ts';
import { print, printJson, remark } from '../output.ts';
import { raceText } from '../render/race.ts';
import { withOwnCluster } from '../session.ts';

const INTRODUCTION = `20 sums of squares, n = 5,000,000 + x, under every concurrency model on this machine.
The common rule says: CPU work belongs in processes, one a core. Let us measure.
`;
const IO_INTRODUCTION = `
2,000 web pages from a server on this machine that takes 50 ms for each.
The common rule says: what waits belongs in async. Let us measure that, too.
`;
const PAGES = 2_000;
const PAGE_MS = 50;
const IO_REPEATS = 2;
/** One after another they would take 100 s. */
const IO_ENTRY_MS_MAX = 5_000;

export function addDemoCommand(program: Command, interrupted: AbortSignal): void {
  const command = program
    .command('demo')
    .description('start a cluster here, race number-cruncher and web-scraper, clean up')
    .addOption(jsonOption())
    .action(async ({ json }: { json?: boolean }) => {
      remark(INTRODUCTION);
      process.exitCode = await withOwnCluster(async (client) => {
        const cpu = await race(client, planRace('number-cruncher'), { repeat: RACE_REPEATS_DEFAULT }, interrupted);
        if (!json) print(raceText(cpu));
        remark(IO_INTRODUCTION);
        const io = await racePages(client, interrupted);
        if (json) printJson({ races: [cpu, io] });
        else print(raceText(io));
        return cpu.verdict === null || io.verdict === null ? exitCode.taskFailed : exitCode.succeeded;
      });
    });
  example(command, 'npm run demo');
}

async function racePages(client: Client, interrupted: AbortSignal): Promise<RaceResult> {
  const { startTarget } = await import('@regatta/workloads/target');
  const target = await startTarget({ latency: { kind: 'fixed', ms: PAGE_MS } });
  try {
    const planned = planRace('web-scraper', { base: `${target.url}/`, count: String(PAGES) });
    return await race(client, planned, { repeat: IO_REPEATS, entryMsMax: IO_ENTRY_MS_MAX }, interrupted);
  } finally {
    await target.close();
  }
}
