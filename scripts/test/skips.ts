/** What was not tested, said so that nobody takes a run with holes for a full one. */

export interface Skip {
  readonly name: string;
  readonly file: string;
  /** Why, as the test says; empty where it does not. */
  readonly reason: string;
}

/** @param text one JSON object a line, as reporter.ts writes them */
export const readSkips = (text: string): Skip[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Skip);

/** The closing words of a test run; empty where nothing was skipped. */
export function skipNotice(skips: readonly Skip[]): string {
  if (skips.length === 0) return '';
  const heading = `\n⚠ ${skips.length} ${skips.length === 1 ? 'TEST WAS' : 'TESTS WERE'} SKIPPED:\n`;
  const lines = skips.map(({ name, file, reason }) => `  ${file}: ${name}: ${reason || 'NO REASON GIVEN'}\n`);
  return heading + lines.join('');
}
