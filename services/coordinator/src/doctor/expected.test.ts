/** Names that the doctor looks for, against the files that bring them. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { essenceOf, isSame } from './essence.ts';
import { BOARD_UIDS, committedBoards, DATASOURCE_UID, JOBS, RULE_GROUPS } from './expected.ts';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const read = (path: string): string => readFileSync(`${root}${path}`, 'utf8');
const all = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, found]) => found!);

describe('the doctor looks for', () => {
  it('the rule groups that deploy/ has', () => {
    const files = globSync('deploy/prometheus/rules/*.yaml', { cwd: root });
    const groups = files.flatMap((file) => all(read(file), /^ {2}- name: (\S+)$/gm));
    assert.deepEqual([...RULE_GROUPS].sort(), [...new Set(groups)].sort());
  });

  it('the jobs that deploy/ has', () => {
    for (const file of ['prometheus.yml', 'prometheus.ha.yml']) {
      const jobs = all(read(`deploy/prometheus/${file}`), /job_name: (regatta\S+)/g);
      assert.deepEqual(jobs, Object.values(JOBS), file);
    }
  });

  it('the dashboards and the datasource that grafana/ has', () => {
    assert.deepEqual([...committedBoards().keys()].sort(), [...BOARD_UIDS].sort());
    assert.match(
      read('grafana/provisioning/datasources/prometheus.yaml'),
      new RegExp(`^ +uid: ${DATASOURCE_UID}$`, 'm'),
    );
  });

  it('no dashboards where there are none, as in an image', () => {
    assert.equal(committedBoards('/nowhere').size, 0);
  });
});

describe('a dashboard', () => {
  const board = JSON.parse(read('grafana/dashboards/run.json'));
  const changed = (change: (copy: typeof board) => void): boolean => {
    const copy = structuredClone(board);
    change(copy);
    return !isSame(essenceOf(copy), essenceOf(board));
  };

  it('is the same with what Grafana adds to it', () => {
    assert.ok(!changed((copy) => Object.assign(copy, { id: 7, version: 3 })));
  });

  it('is another with another query, a panel less, or another title', () => {
    assert.ok(
      changed(({ panels }) => {
        panels.find((panel: { targets?: unknown[] }) => panel.targets).targets[0].expr = 'up';
      }),
    );
    assert.ok(changed((copy) => void copy.panels.pop()));
    assert.ok(changed((copy) => Object.assign(copy, { title: 'Mine' })));
    assert.ok(changed((copy) => void copy.templating.list.pop()));
  });
});
