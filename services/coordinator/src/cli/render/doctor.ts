/** What `regatta doctor` found, a line each; what to do below what is not as it should be. */
import { styleText } from 'node:util';
import { counted } from '@regatta/kernel';
import type { Finding, Level } from '../../doctor/finding.ts';

const COLOURS = { ok: 'green', skipped: 'gray', warning: 'yellow', wrong: 'red' } as const satisfies Record<
  Level,
  string
>;
const LEVELS = ['ok', 'skipped', 'warning', 'wrong'] as const;

/** @param colour on a terminal; the words are there either way */
export function doctorText(findings: readonly Finding[], colour: boolean): string {
  const width = (text: (finding: Finding) => string): number => Math.max(0, ...findings.map((one) => text(one).length));
  const [groups, names] = [width(({ group }) => group), width(({ name }) => name)];
  const lines = findings.flatMap(({ group, name, level, what, mend }) => {
    const word = painted(level, level.padEnd('warning'.length), colour);
    const line = `${word}  ${group.padEnd(groups)}  ${name.padEnd(names)}  ${what}`;
    return mend === null ? [line] : [line, `${' '.repeat('warning'.length)}  → ${mend}`];
  });
  return `${[...lines, '', summary(findings, colour)].join('\n')}\n`;
}

function summary(findings: readonly Finding[], colour: boolean): string {
  const count = (level: Level): number => findings.filter((finding) => finding.level === level).length;
  const counts = LEVELS.map((level) => {
    const text = level === 'warning' ? counted(count(level), 'warning') : `${count(level)} ${level}`;
    return count(level) === 0 ? text : painted(level, text, colour);
  });
  return counts.join(', ');
}

const painted = (level: Level, text: string, colour: boolean): string =>
  colour ? styleText(COLOURS[level], text, { validateStream: false }) : text;

/** For scripts. @param reached without a cluster nothing is as it should be, whatever was found */
export const doctorObject = (findings: readonly Finding[], reached: boolean): object => ({
  ok: reached && isSound(findings),
  checks: findings,
});

export const isSound = (findings: readonly Finding[]): boolean => findings.every(({ level }) => level !== 'wrong');
