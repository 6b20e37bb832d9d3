import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { InvariantError } from '@regatta/kernel';
import { attemptTable, nextAttemptState, nextRunState, runTable } from './transitions.ts';

type Table = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The first table after the heading, as rows by their first cell. */
function tableUnder(heading: string, markdown: string): Record<string, Record<string, string>> {
  const section = markdown.slice(markdown.indexOf(`\n${heading}\n`) + heading.length + 2);
  const lines = section.slice(section.indexOf('|')).split('\n');
  const rows = lines
    .slice(
      0,
      lines.findIndex((line) => !line.startsWith('|')),
    )
    .map(cellsOf);
  const [head, , ...body] = rows;
  return Object.fromEntries(
    body.map(([state, ...nexts]) => [state!, Object.fromEntries(nexts.map((next, i) => [head![i + 1]!, next]))]),
  );
}

const cellsOf = (line: string): string[] =>
  line
    .slice(1, line.lastIndexOf('|'))
    .split('|')
    .map((cell) => cell.trim().replaceAll('`', ''));

const tables: { name: string; heading: string; table: Table; follow: (state: never, trigger: never) => string }[] = [
  { name: 'a run', heading: '### States of a run', table: runTable, follow: nextRunState },
  { name: 'an attempt', heading: '### States of an attempt', table: attemptTable, follow: nextAttemptState },
];

for (const { name, heading, table, follow } of tables) {
  describe(`the states of ${name}`, () => {
    for (const [state, row] of Object.entries(table)) {
      for (const [trigger, next] of Object.entries(row)) {
        it(`${state}, ${trigger}: ${next}`, () => {
          const move = () => follow(state as never, trigger as never);
          if (next === 'impossible') assert.throws(move, InvariantError);
          else assert.equal(move(), next === 'ignored' ? state : next);
        });
      }
    }

    it('are written in docs/SCHEDULER.md as they are in the code', () => {
      const markdown = readFileSync(new URL('../../../docs/SCHEDULER.md', import.meta.url), 'utf8');
      assert.deepEqual(tableUnder(heading, markdown), table);
    });
  });
}
