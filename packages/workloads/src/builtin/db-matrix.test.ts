import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, it } from 'node:test';
import { resolveParameters } from '../params.ts';
import { runSerially } from '../serially.ts';
import { dbMatrix } from './db-matrix.ts';
import { matrixTransform } from './matrix-transform.ts';

type Params = Parameters<typeof dbMatrix.run>[0];
const paramsOf = (given: Partial<Params>): Params => resolveParameters(dbMatrix, given) as Params;

const given = process.env.REGATTA_STATE_DIR;
const directory = mkdtempSync(join(tmpdir(), 'db-matrix-'));
process.env.REGATTA_STATE_DIR = directory;
after(() => {
  if (given === undefined) delete process.env.REGATTA_STATE_DIR;
  else process.env.REGATTA_STATE_DIR = given;
  rmSync(directory, { recursive: true });
});
const fileOf = (seed: number, size: number): string => join(directory, 'made', `db-matrix-${seed}-0-${size}.sqlite`);

describe('a task of db-matrix', () => {
  it('gives of each database what matrix-transform gives of its matrix', async () => {
    const { results } = await runSerially(dbMatrix, { databases: 3, reads: 2, size: 13, seed: 7 });
    const expected = await runSerially(matrixTransform, { count: 3, size: 13, seed: 7 });
    for (const { task, value } of results) {
      assert.deepEqual(value, { database: task % 3, ...expected.results[task % 3]!.value });
    }
    assert.equal(results.length, 6);
  });

  it('reads what the database holds, not what it should', async () => {
    const only = { databases: 1, size: 2, seed: 11 };
    const { results } = await runSerially(dbMatrix, only);
    using database = new DatabaseSync(fileOf(11, 2));
    database.exec('UPDATE entries SET value = 3');
    const [changed] = (await runSerially(dbMatrix, only)).results;
    assert.notEqual(changed!.value.checksum, results[0]!.value.checksum);
    assert.deepEqual([changed!.value.trace, changed!.value.largest], [36, 18]);
  });

  it('makes each database once', async () => {
    const two = { databases: 2, size: 3, seed: 12 };
    await runSerially(dbMatrix, two);
    const made = readdirSync(join(directory, 'made'));
    await runSerially(dbMatrix, { ...two, reads: 3 });
    assert.deepEqual(readdirSync(join(directory, 'made')), made);
  });

  it('fails where its database is not whole, and says what to do', async () => {
    const only = { databases: 1, size: 3, seed: 13 };
    await runSerially(dbMatrix, only);
    const database = new DatabaseSync(fileOf(13, 3));
    database.exec('DELETE FROM entries WHERE r = 1 AND c = 2');
    database.close();
    const missing =
      /-13-0-3\.sqlite is not as db-matrix made it: it holds 8 of 9 entries; remove it, and it is made anew$/;
    await assert.rejects(runSerially(dbMatrix, only), { code: 'WRONG_DATA', message: missing });
    truncateSync(fileOf(13, 3), 100);
    const broken = /-13-0-3\.sqlite cannot be read: .*; remove it, and it is made anew$/;
    await assert.rejects(runSerially(dbMatrix, only), { code: 'WRONG_DATA', message: broken });
  });

  it('writes nothing to stderr, where people read of failures', () => {
    const script = `
      import { findWorkload, resolveParameters } from '@regatta/workloads';
      const workload = findWorkload('db-matrix');
      const context = { task: 0, attempt: 1, signal: new AbortController().signal };
      console.log((await workload.run(resolveParameters(workload, { size: 2 }), context)).database);`;
    const options = { input: script, encoding: 'utf8', cwd: import.meta.dirname } as const;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-'], options);
    assert.deepEqual([stdout, stderr], ['0\n', '']);
  });
});

describe('the targets of db-matrix', () => {
  const targets = (given: Partial<Params>): (string | undefined)[] =>
    [0, 1, 2, 3].map((task) => dbMatrix.target!(paramsOf({ databases: 3, ...given }), undefined, task));

  it('are its databases', () => {
    assert.deepEqual(targets({}), ['sqlite:0', 'sqlite:1', 'sqlite:2', 'sqlite:0']);
    const apart = ['h:5432/db0', 'h:5432/db1', 'h:5432/db2', 'h:5432/db0'];
    assert.deepEqual(targets({ url: 'postgres://h/db{n}' }), apart);
  });

  it('are one where they are tables of one database, named without the password', () => {
    const one = 'h:99/db';
    assert.deepEqual(targets({ url: 'postgresql://me:secret@h:99/db?sslmode=disable' }), [one, one, one, one]);
  });
});

describe('a run of db-matrix', () => {
  it('gives this checksum by default, today and on every machine', async () => {
    const { combined } = await runSerially(dbMatrix);
    assert.deepEqual(combined, { reads: 6, databases: 6, trace: 80225.43681254722, checksum: 'daaa2ca2d0763d65' });
  });

  it('is refused where its url is none of PostgreSQL, without repeating what may be a secret', () => {
    for (const url of ['mysql://me:secret@h/d', 'secret', 'http://h/']) {
      const message = 'db-matrix: url is no URL of PostgreSQL; give postgres://user@host/name';
      assert.throws(() => dbMatrix.tasks(paramsOf({ url })), { code: 'BAD_PARAMETER', message });
    }
  });

  it('is refused where its files would fill a disk', () => {
    assert.throws(() => dbMatrix.tasks(paramsOf({ databases: 1000, size: 1000 })), {
      message: /^db-matrix: 1000 databases of 1000 x 1000 entries are more than \d+; give less of databases or size$/,
    });
  });
});
