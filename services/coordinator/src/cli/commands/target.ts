import type { Command } from 'commander';
import { exitCode } from '../exit.ts';
import { example, jsonOption, wholeNumber } from '../options.ts';
import { print, printJson, remark } from '../output.ts';
import { targetText } from '../render/target.ts';

interface Options {
  readonly port?: number;
  readonly latency?: string;
  readonly errorRate?: string;
  readonly bodyBytes?: string;
  readonly json?: boolean;
}

export function addTargetCommand(program: Command, interrupted: AbortSignal): void {
  const command = program
    .command('target')
    .description('a web server on this machine for web-scraper to aim at, until Ctrl-C')
    .option('--port <n>', 'where it listens on loopback, 0 for any free one', wholeNumber(0, 65_535))
    .option('--latency <spread>', 'before each answer, in ms: fixed:50, uniform:10-90 or exp:50')
    .option(
      '--error-rate <part>',
      'which part of the requests fail with 500, from 0 to 1; the same ones at every retry',
    )
    .option('--body-bytes <n>', 'of each answer')
    .addOption(jsonOption())
    .action(async (options: Options) => {
      await serveTarget(options, interrupted);
      process.exitCode = exitCode.succeeded;
    });
  example(command, 'regatta target --latency exp:50 --error-rate 0.01', 'regatta run web-scraper --set count=2000');
}

async function serveTarget({ port, json, ...given }: Options, interrupted: AbortSignal): Promise<void> {
  // Not before it is wanted: all other commands do without a web server.
  const { startTarget, TARGET_PORT, targetSettingsFrom } = await import('@regatta/workloads/target');
  const target = await startTarget({ ...targetSettingsFrom(given), port: port ?? TARGET_PORT });
  (json ? remark : print)(target.url);
  try {
    if (!interrupted.aborted) await new Promise((resolve) => interrupted.addEventListener('abort', resolve));
  } finally {
    await target.close();
  }
  if (json) printJson(target.stats());
  else print(targetText(target.stats()));
}
