/** The token of a command: where it comes from, and the options about it. */
import { joinToken, readToken, takeSecret } from '@regatta/access';
import { Option } from 'commander';

// At once: whatever is started from here, Docker or an agent with its hosts, inherits what is left in the environment.
const text = takeSecret('REGATTA_TOKEN');

export const tokenFileOption = (what: string): Option =>
  new Option('--token-file <file>', `that holds ${what}; or REGATTA_TOKEN is the token`).env('REGATTA_TOKEN_FILE');

/** Not Commander's env(): it takes a variable that is empty or 0 for a yes. See isInsecure. */
export const insecureOption = (what: string): Option => new Option('--insecure', `${what} (env: REGATTA_INSECURE=1)`);

/** @param file as given by option. @returns undefined where none is given. @throws RegattaError BAD_SECRET, BAD_TOKEN */
export const tokenIn = (file: string | undefined): string | undefined => readToken(joinToken(file, text));
