/** What can be said of the boards without Grafana and without Prometheus. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { boardFiles } from '../../grafana/boards.ts';
import { BOARDS, type CommittedPanel, committed, panelsOf } from './committed.ts';

const COLUMNS = 24;
const AT_MOST = 20;
const TITLES = {
  overview: 'Regatta / Overview',
  run: 'Regatta / Run',
  race: 'Regatta / Race',
  nodes: 'Regatta / Nodes',
  nats: 'Regatta / NATS and coordinator',
};

const called = ({ title, id }: CommittedPanel): string => `${title} (${id})`;

describe('the boards that are committed', () => {
  it('are what their sources make', () => {
    const made = boardFiles();
    assert.deepEqual(readdirSync(BOARDS).sort(), [...made.keys()].sort());
    for (const [name, text] of made) {
      assert.ok(readFileSync(join(BOARDS, name), 'utf8') === text, `${name} is out of date: npm run generate`);
    }
  });

  it('are five, each with a name and an address of its own', () => {
    assert.deepEqual(Object.fromEntries(committed.map(({ name, board }) => [name, board.title])), TITLES);
    assert.equal(new Set(committed.map(({ board }) => board.uid)).size, committed.length);
  });

  it('lead to one another, keeping time and what was chosen', () => {
    for (const { board } of committed) {
      const [link, ...others] = board.links;
      assert.deepEqual(others, []);
      assert.equal(link?.type, 'dashboards');
      assert.ok(link.keepTime && link.includeVars);
      assert.ok(
        link.tags.every((tag) => committed.every((other) => other.board.tags.includes(tag))),
        'a board is not found by the links of the others',
      );
    }
  });

  it('show the same moment on all panels under the pointer', () => {
    for (const { board } of committed) assert.equal(board.graphTooltip, 1);
  });

  it('know of what people note in Grafana itself', () => {
    for (const { board } of committed)
      assert.equal(board.annotations.list.filter(({ builtIn }) => builtIn === 1).length, 1);
  });

  it('lead from a value only to boards that there are, with variables that those have', () => {
    for (const { board } of committed) {
      for (const [, uid, rest] of JSON.stringify(board).matchAll(/"\/d\/([\w-]+)\?([^"]*)"/g)) {
        const target = committed.find((other) => other.board.uid === uid);
        assert.ok(target, `${board.title} leads to ${uid}`);
        for (const [, variable] of rest!.matchAll(/var-(\w+)=/g)) {
          assert.ok(
            target.board.templating.list.some(({ name }) => name === variable),
            `${uid} has no ${variable}`,
          );
        }
      }
    }
  });
});

for (const { name, board } of committed) {
  const panels = panelsOf(board);

  describe(`the board ${name}`, () => {
    it('has ids that are its own, of panels and of their queries', () => {
      const ids = board.panels.map(({ id }) => id);
      assert.ok(ids.every((id) => Number.isInteger(id) && id > 0));
      assert.equal(new Set(ids).size, ids.length);
      for (const panel of panels) {
        const letters = panel.targets.map(({ refId }) => refId);
        assert.ok(
          letters.every((letter) => /^[A-Z]$/.test(letter)),
          called(panel),
        );
        assert.equal(new Set(letters).size, letters.length, called(panel));
      }
    });

    it('has panels within its columns, none upon another', () => {
      const taken = new Map<string, string>();
      for (const panel of board.panels) {
        const { x, y, w, h } = panel.gridPos;
        assert.ok(x >= 0 && w > 0 && h > 0 && x + w <= COLUMNS, called(panel));
        for (let column = x; column < x + w; column++) {
          for (let line = y; line < y + h; line++) {
            const cell = `${column},${line}`;
            assert.ok(!taken.has(cell), `${called(panel)} lies upon ${taken.get(cell)}`);
            taken.set(cell, called(panel));
          }
        }
      }
    });

    it(`has at most ${AT_MOST} panels, under headings`, () => {
      assert.ok(panels.length >= 12 && panels.length <= AT_MOST, `${panels.length} panels`);
      assert.equal(board.panels[0]?.type, 'row');
    });

    it('says of each panel what it shows, in words, with a unit and a legend', () => {
      const titles = panels.map(({ title }) => title);
      for (const panel of panels) {
        assert.ok(panel.title.length > 2, called(panel));
        assert.ok(panel.description.length > 20 && /[.?]$/.test(panel.description), `${called(panel)}: description`);
        assert.ok(panel.fieldConfig.defaults.unit, `${called(panel)}: unit`);
        assert.ok(panel.fieldConfig.defaults.thresholds.steps.length > 0, `${called(panel)}: thresholds`);
        assert.equal(panel.fieldConfig.defaults.thresholds.steps[0]?.value, null, `${called(panel)}: first threshold`);
        assert.ok(panel.targets.length > 0, `${called(panel)}: queries`);
        for (const { legendFormat } of panel.targets) assert.ok(legendFormat, `${called(panel)}: legend`);
      }
      // Two panels of one name on a board can only be told apart by who made them, but for a figure and its course.
      const sameRow = board.panels.map(({ title, type }, i) => `${type === 'row' ? '' : rowOf(i)}/${title}`);
      assert.equal(new Set(sameRow).size, sameRow.length, titles.join(', '));
    });

    it('asks the Prometheus that was chosen, and no other', () => {
      for (const panel of panels) {
        for (const { datasource } of [panel, ...panel.targets]) {
          assert.deepEqual(datasource, { type: 'prometheus', uid: `$\{datasource}` }, called(panel));
        }
      }
    });

    it('says of each figure how it comes from a range, and of each heatmap what its colours are', () => {
      for (const panel of panels) {
        if (panel.type === 'stat' || panel.type === 'bargauge')
          assert.ok(panel.options.reduceOptions?.calcs.length, called(panel));
        if (panel.type === 'timeseries') assert.ok(panel.options.legend?.calcs.length, called(panel));
        if (panel.type === 'heatmap') {
          assert.equal(panel.options.calculate, false);
          assert.ok(panel.options.color?.scheme, called(panel));
          assert.ok(
            panel.targets.every(({ format, legendFormat }) => format === 'heatmap' && legendFormat === '{{le}}'),
          );
        }
      }
    });

    it('has the variables that all boards have, and hides those that do nothing there', () => {
      const variables = new Map(board.templating.list.map((variable) => [variable.name, variable]));
      assert.deepEqual(
        ['datasource', 'node', 'model'].filter((variable) => !variables.has(variable)),
        [],
      );
      for (const variable of ['node', 'model']) {
        const { multi, includeAll, hide } = variables.get(variable)!;
        assert.ok(multi && includeAll);
        const used = panels.some((panel) => panel.targets.some(({ expr }) => expr.includes(`$${variable}`)));
        assert.equal(hide === 2, !used, variable);
      }
    });

    function rowOf(index: number): string {
      return board.panels.slice(0, index).findLast(({ type }) => type === 'row')?.title ?? '';
    }
  });
}
