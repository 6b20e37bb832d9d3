// Runs a program of the project under Node 24, whatever Node the machine has:
//   node scripts/launch.mjs FILE.ts [ARG...]      one of ours
//   node scripts/launch.mjs --tool NAME [ARG...]  one that npm installed
import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bootstrap } from './bootstrap.mjs';

/** From util-linux: ties a process's life to its parent's. */
const SETPRIV = '/usr/bin/setpriv';
const root = fileURLToPath(new URL('..', import.meta.url));

/** Runs `args` under Node 24 with this process's streams, passes signals on, and ends as it ends. */
export async function launch(args) {
  let node24;
  try {
    node24 = await bootstrap();
  } catch (error) {
    return fail(error.message, error.exitCode);
  }
  const path = [`${root}node_modules/.bin`, dirname(node24), process.env.PATH ?? ''].join(delimiter);
  // What Node has compiled, types stripped, is kept: a process that starts anew takes half the time and 30 MiB less.
  const compiled = process.env.NODE_COMPILE_CACHE ?? `${root}node_modules/.cache/regatta`;
  const env = { ...process.env, PATH: path, NODE_COMPILE_CACHE: compiled };
  // Where the launcher is killed outright, the program is told to end.
  const tied = existsSync(SETPRIV) ? [SETPRIV, '--pdeathsig', 'TERM', '--', node24] : [node24];
  const child = spawn(tied[0], [...tied.slice(1), ...args], { stdio: 'inherit', env });
  // A terminal sends Ctrl-C to the whole group; what a program sends with kill reaches only this process.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => (signal === 'SIGINT' && process.stdin.isTTY ? undefined : child.kill(signal)));
  }
  child.on('error', (error) => fail(`cannot start ${node24}: ${error.message}`));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal];
  });
}

function fail(message, exitCode = 1) {
  process.stderr.write(`regatta: ${message}\n`);
  process.exitCode = exitCode;
}

// By real paths: in a checkout that is reached through a link the two are spelled differently, and a launcher that does
// not see that it was called does nothing, successfully.
if (fileURLToPath(import.meta.url) === realpathSync(process.argv[1])) {
  const [first, ...rest] = process.argv.slice(2);
  if (first === undefined || (first === '--tool' && rest.length === 0)) {
    fail('usage: node scripts/launch.mjs FILE.ts [ARG...] | --tool NAME [ARG...]', 2);
  } else {
    await launch(first === '--tool' ? [`${root}node_modules/.bin/${rest[0]}`, ...rest.slice(1)] : [first, ...rest]);
  }
}
