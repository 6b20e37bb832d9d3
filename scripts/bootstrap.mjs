// Brings what the project needs and the machine lacks: npm's packages, among them Node 24 itself.
// Plain JavaScript, for any Node from 20 on: it runs before anything is installed.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { withInstallLock } from './bootstrap/install-lock.mjs';
import { isInstalled } from './bootstrap/installed.mjs';

const WINDOWS = process.platform === 'win32';
const LOGS = 'see the output above';

/** Installs the locked packages unless exactly these are there already. Speaks on stderr: stdout may be somebody's JSON.
 * @param {string} [root] the checkout
 * @returns {Promise<string>} the Node 24 to run
 * @throws {Error} in one line for people, where that cannot be
 */
export async function bootstrap(root = fileURLToPath(new URL('..', import.meta.url))) {
  if (!isInstalled(root) || node24In(root) === undefined) {
    const lock = lockPath(root);
    await withInstallLock(lock, say, async (setInstaller) => {
      // Whoever held the lock before may have done it.
      if (!isInstalled(root) || node24In(root) === undefined) await install(root, setInstaller);
    });
  }
  const node = node24In(root);
  if (node === undefined) {
    throw new Error('npm did not bring Node 24: allow the install script of the package "node", then run npm install');
  }
  return node;
}

/** The one that npm brought, or this very one where it is new enough and install scripts are not allowed. */
function node24In(root) {
  const brought = `${root}node_modules/node/bin/node${WINDOWS ? '.exe' : ''}`;
  if (existsSync(brought)) return brought;
  return Number.parseInt(process.versions.node, 10) >= 24 ? process.execPath : undefined;
}

async function install(root, setInstaller) {
  say('Installing what Regatta needs (npm install, once) ...');
  // --include: the tools are needed also where NODE_ENV=production. stdin is not npm's: it may be somebody's data.
  // Not npm ci: it refuses a lockfile without other platforms' optional packages (docs/adr/0006).
  const args = ['install', '--no-save', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = spawn(WINDOWS ? 'npm.cmd' : 'npm', args, { cwd: root, stdio: ['ignore', 2, 2], shell: WINDOWS });
  setInstaller(npm.pid);
  const { code, signal, error } = await endOf(npm);
  if (error?.code === 'ENOENT') throw new Error('npm is not on the PATH; install it, or run npm install yourself');
  if (error !== undefined) throw new Error(`cannot run npm: ${error.message}`);
  if (signal !== null) throw new Interrupted(signal);
  if (code !== 0) throw new Error(`npm install failed (exit ${code}), so nothing can run; ${LOGS}`);
  if (!isInstalled(root))
    throw new Error(`npm install ended well, but packages of package-lock.json are missing; ${LOGS}`);
}

/** npm was told to stop. Ends as a program does that the signal ended. */
class Interrupted extends Error {
  constructor(signal) {
    super(`npm install was stopped by ${signal}; it begins anew next time`);
    this.exitCode = 128 + constants.signals[signal];
  }
}

/** Passes signals on: npm must not go on installing alone once the lock that guards it is gone. */
async function endOf(child) {
  let told = null;
  const pass = (signal) => {
    told = signal;
    child.kill(signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, pass);
  try {
    return await new Promise((resolve) => {
      child.on('error', (error) => resolve({ error }));
      // npm may end with a code of its own when told to stop.
      child.on('exit', (code, signal) => resolve({ code, signal: code === 0 ? null : (signal ?? told) }));
    });
  } finally {
    for (const signal of signals) process.off(signal, pass);
  }
}

function lockPath(root) {
  try {
    mkdirSync(`${root}.regatta`, { recursive: true });
  } catch (error) {
    throw new Error(`packages are missing and cannot be installed in ${root}: ${error.message}`);
  }
  return `${root}.regatta/install.lock`;
}

function say(message) {
  process.stderr.write(`${message}\n`);
}
