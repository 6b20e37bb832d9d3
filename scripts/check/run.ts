/** Runs commands some at a time, and tells in a line each how they ended; what failed is shown in full. */
import { spawn } from 'node:child_process';

export interface Check {
  readonly name: string;
  readonly command: readonly string[];
  /** Where to run it, if not in the common folder. */
  readonly folder?: string;
}

export interface Result {
  readonly check: Check;
  readonly passed: boolean;
  readonly elapsedMs: number;
  /** What it printed, both streams. */
  readonly output: string;
}

export interface Setting {
  readonly atOnce: number;
  readonly folder: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly print: (text: string) => void;
}

/** @returns one result for each check, in their order */
export async function runChecks(checks: readonly Check[], setting: Setting): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  const lane = async () => {
    for (let index = next++; index < checks.length; index = next++) {
      const result = await run(checks[index]!, setting);
      results[index] = result;
      if (!result.passed) setting.print(failureText(result));
    }
  };
  await Promise.all(Array.from({ length: setting.atOnce }, lane));
  for (const result of results) setting.print(summaryLine(result));
  return results;
}

function run(check: Check, { folder, environment }: Setting): Promise<Result> {
  const [program = '', ...args] = check.command;
  const started = performance.now();
  const chunks: Buffer[] = [];
  const { promise, resolve } = Promise.withResolvers<Result>();
  const child = spawn(program, args, {
    cwd: check.folder ?? folder,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const end = (passed: boolean) => {
    const output = Buffer.concat(chunks).toString();
    resolve({ check, passed, elapsedMs: performance.now() - started, output });
  };
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.on('error', (error) => {
    chunks.push(Buffer.from(`cannot run ${program}: ${error.message}\n`));
    end(false);
  });
  child.on('close', (code, signal) => {
    if (signal !== null) chunks.push(Buffer.from(`ended by ${signal}\n`));
    end(code === 0);
  });
  return promise;
}

const failureText = ({ check, output }: Result): string =>
  `\n── ${check.name}: failed ──\n${output.trimEnd() || '(it printed nothing)'}\n\n`;

const summaryLine = ({ check, passed, elapsedMs }: Result): string =>
  `${passed ? 'ok    ' : 'FAILED'} ${(elapsedMs / 1000).toFixed(1).padStart(6)} s  ${check.name}\n`;
