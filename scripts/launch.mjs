// Runs a program of the project under Node 24, whatever Node the machine has:
//   node scripts/launch.mjs FILE.ts [ARG...]      one of ours
//   node scripts/launch.mjs --tool NAME [ARG...]  one that npm installed
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bootstrap, node24 } from './bootstrap.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Runs `args` under Node 24 with this process's streams, passes signals on, and ends as it ends. */
export function launch(args) {
  bootstrap();
  const child = spawn(node24, args, {
    stdio: 'inherit',
    env: { ...process.env, PATH: `${root}node_modules/.bin:${dirname(node24)}:${process.env.PATH}` },
  });
  // A terminal sends Ctrl-C to the whole group; what a program sends with kill reaches only this process.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => (signal === 'SIGINT' && process.stdin.isTTY ? undefined : child.kill(signal)));
  }
  child.on('error', (error) => {
    process.stderr.write(`regatta: cannot start ${node24}: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (signal === 'SIGINT' ? 2 : signal === 'SIGTERM' ? 15 : 9);
  });
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [first, ...rest] = process.argv.slice(2);
  launch(first === '--tool' ? [`${root}node_modules/.bin/${rest[0]}`, ...rest.slice(1)] : [first, ...rest]);
}
