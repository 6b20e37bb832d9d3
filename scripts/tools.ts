/** Where the repository is, and the tools that npm installed there. */
import { delimiter, dirname, join } from 'node:path';

export const root: string = dirname(import.meta.dirname);

const bin = join(root, 'node_modules', '.bin');

export const tool = (name: string): string => join(bin, name);

/** So that tools find each other (buf its plugins), and run under this Node whatever Node the machine has. */
export const toolEnvironment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  PATH: [bin, dirname(process.execPath), process.env.PATH ?? ''].join(delimiter),
});
