import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { resolveParameters } from '../../params.ts';
import { runSerially } from '../../serially.ts';
import { type PostgresServer, startPostgres, whyNoPostgres } from '../../testing/postgres.ts';
import { dbMatrix } from '../db-matrix.ts';
import { matrixTransform } from '../matrix-transform.ts';
import { placeOf } from './postgres.ts';

type Params = Parameters<typeof dbMatrix.run>[0];
const paramsOf = (given: Partial<Params>): Params => resolveParameters(dbMatrix, given) as Params;

const read = async (given: Partial<Params>, task = 0, signal = new AbortController().signal) =>
  dbMatrix.run(paramsOf(given), { task, attempt: 1, signal, shared: undefined, input: undefined });

describe('db-matrix on a PostgreSQL server', { skip: whyNoPostgres }, () => {
  let server: PostgresServer;
  let url: string;
  let admin: pg.Client;
  before(async () => {
    server = await startPostgres();
    url = `${server.url}postgres`;
    admin = new pg.Client(url);
    await admin.connect();
  });
  after(async () => {
    await admin?.end();
    await server?.stop();
  });

  const tables = async (): Promise<string[]> => {
    const { rows } = await admin.query("SELECT tablename FROM pg_tables WHERE schemaname = 'regatta' ORDER BY 1");
    return rows.map(({ tablename }) => tablename);
  };

  it('gives of each table what matrix-transform gives of its matrix, to the last bit', async () => {
    const { results } = await runSerially(dbMatrix, { databases: 3, reads: 2, size: 50, seed: 7, url });
    const expected = await runSerially(matrixTransform, { count: 3, size: 50, seed: 7 });
    for (const { task, value } of results) {
      assert.deepEqual(value, { database: task % 3, ...expected.results[task % 3]!.value });
    }
    assert.deepEqual(await tables(), ['db_matrix_7_0_50', 'db_matrix_7_1_50', 'db_matrix_7_2_50']);
  });

  it('reads what the table holds, not what it should', async () => {
    await read({ size: 2, seed: 11, url });
    await admin.query('UPDATE regatta.db_matrix_11_0_2 SET value = 3');
    const { trace, largest } = await read({ size: 2, seed: 11, url });
    assert.deepEqual([trace, largest], [36, 18]);
    await admin.query('DELETE FROM regatta.db_matrix_11_0_2 WHERE r = 1');
    await assert.rejects(read({ size: 2, seed: 11, url }), {
      code: 'WRONG_DATA',
      message:
        /^127\.0\.0\.1:\d+\/postgres: table regatta\.db_matrix_11_0_2 is not as .* it holds 2 of 4 entries; remove/,
    });
  });

  it('reads where it may not write, from tables that are there (PG2)', async () => {
    const expected = await read({ size: 4, seed: 12, url });
    await admin.query('CREATE ROLE reader LOGIN');
    await admin.query('GRANT USAGE ON SCHEMA regatta TO reader');
    await admin.query('GRANT SELECT ON ALL TABLES IN SCHEMA regatta TO reader');
    const reader = url.replace('regatta@', 'reader@');
    assert.deepEqual(await read({ size: 4, seed: 12, url: reader }), expected);
    await assert.rejects(read({ size: 5, seed: 12, url: reader }), {
      code: 'NO_ANSWER',
      message: /^127\.0\.0\.1:\d+\/postgres: permission denied for .* \(42501\)$/,
    });
  });

  it('reads databases of their own where the URL holds {n}', async () => {
    for (const n of [0, 1]) await admin.query(`CREATE DATABASE apart${n}`);
    const { combined } = await runSerially(dbMatrix, { databases: 2, size: 5, url: `${server.url}apart{n}` });
    const same = await runSerially(dbMatrix, { databases: 2, size: 5, url });
    assert.deepEqual(combined, same.combined);
    await assert.rejects(read({ databases: 3, size: 5, url: `${server.url}apart{n}` }, 2), {
      code: 'NO_ANSWER',
      message: /^127\.0\.0\.1:\d+\/apart2: database "apart2" does not exist \(3D000\)$/,
    });
  });

  it('may make its tables in many processes at the same time (PG1)', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'db-matrix-'));
    const script = join(directory, 'reader.ts');
    const workload = JSON.stringify(join(import.meta.dirname, '..', 'db-matrix.ts'));
    const serially = JSON.stringify(join(import.meta.dirname, '..', '..', 'serially.ts'));
    writeFileSync(
      script,
      `import { dbMatrix } from ${workload};
       import { runSerially } from ${serially};
       process.once('message', async (given) => {
         process.send((await runSerially(dbMatrix, given)).combined.checksum);
         process.disconnect();
       });
       process.send('ready');`,
    );
    await admin.query('DROP SCHEMA IF EXISTS regatta CASCADE');
    const readers = Array.from({ length: 4 }, () => fork(script));
    const exits = Promise.all(readers.map((reader) => once(reader, 'exit')));
    await Promise.all(readers.map((reader) => once(reader, 'message')));
    for (const reader of readers) reader.send({ databases: 3, size: 30, seed: 14, url });
    const answers = readers.map((reader) => new Promise((resolve) => reader.once('message', resolve)));
    // They end by themselves: an idle connection keeps no process alive.
    assert.deepEqual(await exits, Array(4).fill([0, null]));
    const checksums = await Promise.all(answers);
    rmSync(directory, { recursive: true });
    assert.deepEqual([new Set(checksums).size, typeof checksums[0]], [1, 'string']);
    assert.equal((await tables()).length, 3);
  });

  it('leaves no half of a table where it was interrupted (PG1)', async () => {
    await read({ size: 2, seed: 15, url });
    // Whoever holds the makers' lock keeps the others out until they give up.
    await admin.query('SELECT pg_advisory_lock(7342882)');
    const late = /^127\.0\.0\.1:\d+\/postgres: not read within 300 ms \(timeoutMs\)$/;
    const making = read({ size: 3, seed: 15, url, timeoutMs: 300 });
    await assert.rejects(making, { code: 'TIMED_OUT', message: late });
    await admin.query('SELECT pg_advisory_unlock(7342882)');
    assert.deepEqual(
      (await tables()).filter((name) => name.endsWith('_3')),
      [],
    );
    assert.equal((await read({ size: 3, seed: 15, url })).database, 0);
  });

  it('uses as many connections as it is allowed, and waits for one', async () => {
    await admin.query('CREATE DATABASE counted');
    const own = `${server.url}counted`;
    const many = { databases: 1, reads: 30, size: 10, url: own, connections: 2 };
    const all = await Promise.all(Array.from({ length: 30 }, (_, task) => read(many, task)));
    assert.equal(new Set(all.map(({ checksum }) => checksum)).size, 1);
    const { rows } = await admin.query("SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = 'counted'");
    assert.equal(rows[0].n, 2);
  });

  it('stops waiting when its run is cancelled, and ends its query', async () => {
    await read({ size: 2, seed: 17, url });
    await admin.query('BEGIN');
    await admin.query('LOCK TABLE regatta.db_matrix_17_0_2');
    const cancel = new AbortController();
    const running = read({ size: 2, seed: 17, url }, 0, cancel.signal);
    const waiting = async (): Promise<number> => {
      const text = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
      return (await admin.query(text)).rows[0].n;
    };
    while ((await waiting()) === 0);
    cancel.abort();
    await assert.rejects(running, { name: 'AbortError' });
    await admin.query('ROLLBACK');
    assert.equal((await read({ size: 2, seed: 17, url })).database, 0);
  });

  it('fails one task, and not its process, where its connection is ended', async () => {
    await read({ size: 2, seed: 18, url });
    await admin.query('BEGIN');
    await admin.query('LOCK TABLE regatta.db_matrix_18_0_2');
    const broken = assert.rejects(read({ size: 2, seed: 18, url }), {
      code: 'NO_ANSWER',
      message: /^127\.0\.0\.1:\d+\/postgres: terminating connection due to administrator command \(57P01\)$/,
    });
    const text = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    while ((await admin.query(text)).rowCount === 0);
    await broken;
    await admin.query('ROLLBACK');
    assert.equal((await read({ size: 2, seed: 18, url })).database, 0);
  });
});

describe('db-matrix where no PostgreSQL answers', () => {
  it('says so in one line, without the password', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    server.close();
    await once(server, 'close');
    const url = `postgres://me:secret@localhost:${port}/db`;
    await assert.rejects(read({ url }), {
      code: 'NO_ANSWER',
      message: `localhost:${port}/db: the connection was refused: nothing listens there (ECONNREFUSED)`,
    });
  });

  it('gives up in time where somebody listens and says nothing', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const url = `postgres://127.0.0.1:${port}/db`;
    await assert.rejects(read({ url, timeoutMs: 100 }), {
      code: 'TIMED_OUT',
      message: `127.0.0.1:${port}/db: not read within 100 ms (timeoutMs)`,
    });
    for (const socket of sockets) socket.destroy();
    server.close();
  });
});

describe('the place of a database', () => {
  it('is host, port and name, and nothing else of its URL', () => {
    assert.equal(placeOf('postgres://me:secret@h.org/db?sslmode=require'), 'h.org:5432/db');
    assert.equal(placeOf('postgresql://h:99/db'), 'h:99/db');
    assert.equal(placeOf('postgres:///db?host=/run/postgresql&port=5433'), '/run/postgresql:5433/db');
    assert.equal(placeOf('http://h/db'), undefined);
    assert.equal(placeOf('nonsense'), undefined);
  });
});
