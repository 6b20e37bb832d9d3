import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InvariantError } from '@regatta/kernel';
import { tableUnder } from './testing/design-page.ts';
import { attemptTable, nextAttemptState, nextNodeState, nextRunState, nodeTable, runTable } from './transitions.ts';

type Table = Readonly<Record<string, Readonly<Record<string, string>>>>;

const tables: { name: string; heading: string; table: Table; follow: (state: never, trigger: never) => string }[] = [
  { name: 'a run', heading: '### States of a run', table: runTable, follow: nextRunState },
  { name: 'an attempt', heading: '### States of an attempt', table: attemptTable, follow: nextAttemptState },
  { name: 'a node', heading: '### States of a node', table: nodeTable, follow: nextNodeState },
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
      assert.deepEqual(tableUnder(heading), table);
    });
  });
}
