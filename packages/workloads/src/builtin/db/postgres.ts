/**
 * A matrix in a table of a PostgreSQL server.
 *
 * - PG1: a table is there whole or not at all: it is made in one transaction, by one maker at a time.
 * - PG2: where it is there nothing is written, and the right to read is enough.
 * - PG3: no message holds the URL, for that may hold a password.
 */
import { RegattaError } from '@regatta/kernel';
import type { Pool, PoolClient } from 'pg';
import { connectionFailure } from '../connection-failure.ts';
import { seededMatrix } from '../matrix.ts';
import { type EntryRow, matrixOf } from './entries.ts';
import type { StoredMatrix } from './sqlite.ts';

export interface PostgresAccess {
  readonly url: string;
  /** To one database, from this thread. */
  readonly connections: number;
  /** For one reading, with the wait for a connection. */
  readonly timeoutMs: number;
}

const SCHEMA = 'regatta';
/** Any number that nobody else locks: "regatta" in a telephone's letters. */
const MAKERS_LOCK = 7_342_882;

/** The URL of one of several databases: `{n}` in it stands for its number. */
export const urlOf = (url: string, database: number): string => url.replaceAll('{n}', String(database));

/** `host:5432/name`, or undefined where it is no URL of PostgreSQL. */
export function placeOf(url: string): string | undefined {
  const parsed = URL.parse(url);
  if (parsed === null || !/^postgres(ql)?:$/.test(parsed.protocol)) return undefined;
  const host = parsed.hostname || (parsed.searchParams.get('host') ?? 'localhost');
  return `${host}:${parsed.port || (parsed.searchParams.get('port') ?? 5432)}${parsed.pathname}`;
}

/**
 * The matrix out of its table, which is made first where there is none.
 * @throws RegattaError NO_ANSWER, TIMED_OUT or WRONG_DATA, each naming host and database; the signal's reason
 */
export async function readFromPostgres(
  stored: StoredMatrix,
  access: PostgresAccess,
  signal: AbortSignal,
): Promise<Float64Array> {
  const { connections, timeoutMs } = access;
  const url = urlOf(access.url, stored.database);
  const where = placeOf(url) ?? 'PostgreSQL';
  const stop = new AbortController();
  const onAbort = (): void => stop.abort(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  const late = new RegattaError('TIMED_OUT', `${where}: not read within ${timeoutMs} ms (timeoutMs)`);
  const timer = setTimeout(() => stop.abort(late), timeoutMs);
  try {
    const pool = await poolOf(url, connections);
    return await withClient(pool, stop.signal, (client) => read(client, stored, where));
  } catch (thrown) {
    if (stop.signal.aborted) throw stop.signal.reason;
    throw thrown instanceof RegattaError ? thrown : connectionFailure(where, thrown);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

/** Rejects at once when the signal fires; whatever was under way is then closed. */
function withClient<T>(pool: Pool, signal: AbortSignal, use: (client: PoolClient) => Promise<T>): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const work = pool.connect().then(async (client) => {
    let taken = true;
    const giveBack = (close: boolean): void => {
      if (taken) client.release(close);
      taken = false;
    };
    const onAbort = (): void => giveBack(true);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      signal.throwIfAborted();
      const used = await use(client);
      giveBack(false);
      return used;
    } finally {
      signal.removeEventListener('abort', onAbort);
      // Where it failed: the connection may be the reason, and the next task would get it.
      giveBack(true);
    }
  });
  if (signal.aborted) aborted.reject(signal.reason);
  signal.addEventListener('abort', () => aborted.reject(signal.reason), { once: true });
  return Promise.race([work, aborted.promise]);
}

async function read(client: PoolClient, stored: StoredMatrix, where: string): Promise<Float64Array> {
  const { seed, database, size } = stored;
  // Made of whole numbers alone: nothing to quote.
  const name = `db_matrix_${seed}_${database}_${size}`;
  const table = `${SCHEMA}.${name}`;
  if (!(await isThere(client, name))) await makeTable(client, name, stored);
  const { rows } = await client.query<[number, number, number]>({
    text: `SELECT r, c, value FROM ${table}`,
    rowMode: 'array',
  });
  return matrixOf(rows satisfies EntryRow[], size, `${where}: table ${table}`);
}

/** Asks the catalogue itself: to_regclass() may answer from what the connection knew before it waited for the lock. */
async function isThere(client: PoolClient, name: string): Promise<boolean> {
  const text = 'SELECT FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = $2';
  return (await client.query(text, [SCHEMA, name])).rowCount === 1;
}

async function makeTable(client: PoolClient, name: string, { seed, database, size }: StoredMatrix): Promise<void> {
  const table = `${SCHEMA}.${name}`;
  await client.query('BEGIN');
  try {
    await client.query('SELECT pg_advisory_xact_lock($1)', [MAKERS_LOCK]);
    if (!(await isThere(client, name))) {
      await client.query(`CREATE SCHEMA IF NOT EXISTS ${SCHEMA}`);
      await client.query(`CREATE TABLE ${table} (r integer, c integer, value double precision, PRIMARY KEY (r, c))`);
      const matrix = seededMatrix(seed, database, size);
      const entries = 'unnest($1::double precision[]) WITH ORDINALITY AS entries (value, place)';
      const row = `((place - 1) / ${size})::integer, ((place - 1) % ${size})::integer, value`;
      await client.query(`INSERT INTO ${table} SELECT ${row} FROM ${entries}`, [Array.from(matrix)]);
    }
    await client.query('COMMIT');
  } catch (thrown) {
    // The connection may be gone: it is the first failure that tells why.
    await client.query('ROLLBACK').catch(() => {});
    throw thrown;
  }
}

const pools = new Map<string, Promise<Pool>>();

/** Loaded when a table is first read: a host that never reads one starts without it. */
function poolOf(url: string, connections: number): Promise<Pool> {
  const key = `${connections} ${url}`;
  let pool = pools.get(key);
  if (pool === undefined) {
    pool = makePool(url, connections);
    pools.set(key, pool);
  }
  return pool;
}

async function makePool(url: string, connections: number): Promise<Pool> {
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({
    connectionString: url,
    max: connections,
    // A thread that has nothing else to do may end.
    allowExitOnIdle: true,
    application_name: 'regatta',
  });
  // What breaks while a task uses it fails that task; what breaks while idle is replaced. Unheard, either would end the
  // process.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}
