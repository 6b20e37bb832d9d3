/** Reads docs/SCHEDULER.md, so that tests can hold it to the code. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

const lines = readFileSync(new URL('../../../../docs/SCHEDULER.md', import.meta.url), 'utf8').split('\n');

/** The first table after the heading, as rows by their first cell. */
export function tableUnder(heading: string): Record<string, Record<string, string>> {
  const at = lines.indexOf(heading);
  assert.ok(at >= 0, `no heading ${heading}`);
  const [head, , ...body] = tableFrom(lines.findIndex((line, i) => i > at && line.startsWith('|')));
  return Object.fromEntries(
    body.map(([state, ...nexts]) => [state!, Object.fromEntries(nexts.map((next, i) => [head![i + 1]!, next]))]),
  );
}

/** All that is set as code in the first column of the table that has this title over it. */
export function columnTitled(title: string): string[] {
  const at = lines.findIndex((line) => line.startsWith('|') && cellsOf(line)[0] === title);
  assert.ok(at >= 0, `no table of ${title}`);
  const column = tableFrom(at).slice(2);
  return column.flatMap(([first]) => first!.split(', '));
}

/** All that is set as code in the paragraph that begins like this. */
export function codeIn(beginning: string): string[] {
  const paragraph = lines.find((line) => line.startsWith(beginning));
  assert.ok(paragraph !== undefined, `no paragraph ${beginning}`);
  return [...paragraph.matchAll(/`([^`]+)`/g)].map(([, code]) => code!);
}

function tableFrom(at: number): string[][] {
  const end = lines.findIndex((line, i) => i > at && !line.startsWith('|'));
  return lines.slice(at, end).map(cellsOf);
}

const cellsOf = (line: string): string[] =>
  line
    .slice(1, line.lastIndexOf('|'))
    .split('|')
    .map((cell) => cell.trim().replaceAll('`', ''));
