/**
 * Reads databases and computes on what they hold: waiting and computing mixed, in each task.
 *
 * In: `databases` databases, each read `reads` times. Each holds a `size` x `size` matrix A, one row of a table for each
 * entry; it is the one that matrix-transform makes of the same seed and number. A task reads it all and computes A·Aᵀ.
 * Out of a task: the number of its database, the trace and the largest entry of the product, and a checksum of all its
 * bits. Combined: how many readings there were, of how many databases, the sum of the traces, and one checksum over
 * theirs in task order. It is the same from SQLite and from PostgreSQL.
 *
 * With no `url` the databases are SQLite files, made where a task first asks for one. SQLite is a library that reads on
 * the thread that asks: there is no waiting beside it, and many at once on one event loop gain nothing over one after
 * another; threads and processes do. A PostgreSQL server is waited for on the event loop.
 *
 * With a `url` each is a table of its own, `regatta.db_matrix_…`, in the database that it names, made where there is
 * none (which needs the right to create; reading it does not). With `{n}` in the URL, which stands for 0, 1, …, each is
 * a database of its own, that must be there. The URL travels with the run and is shown with it: better give the agents
 * a password by PGPASSWORD or ~/.pgpass.
 */
import { RegattaError } from '@regatta/kernel';
import { defineWorkload } from '../define.ts';
import { placeOf, readFromPostgres, urlOf } from './db/postgres.ts';
import { readFromSqlite } from './db/sqlite.ts';
import { checksum, transformOf } from './matrix.ts';

/** In all databases together: some 500 MB of files. */
const ENTRIES_MAX = 20_000_000;

export const dbMatrix = defineWorkload({
  name: 'db-matrix',
  kind: 'io',
  summary: 'Reads a matrix from a database and multiplies it by its transpose; gives trace and checksum of the product',
  parameters: {
    databases: { default: 6, description: 'how many databases', min: 1, max: 1000, integer: true },
    reads: { default: 1, description: 'how often each is read, a task each time', min: 1, max: 10_000, integer: true },
    size: { default: 200, description: 'rows and columns of each matrix', min: 1, max: 1000, integer: true },
    url: {
      default: '',
      description: 'postgres://user@host/name, {n} for the number of a database; empty for SQLite files',
    },
    connections: {
      default: 4,
      description: 'at most so many from each thread to one PostgreSQL database',
      min: 1,
      max: 100,
      integer: true,
    },
    timeoutMs: {
      default: 60_000,
      description: 'for one reading from PostgreSQL, with the wait for a connection',
      unit: 'ms',
      min: 1,
      max: 3_600_000,
    },
    seed: { default: 1, description: 'gives other matrices', min: 0, max: 2 ** 32 - 1, integer: true },
  },
  tasks({ databases, reads, size, url }) {
    if (databases * size * size > ENTRIES_MAX) {
      const what = `${databases} databases of ${size} x ${size} entries are more than ${ENTRIES_MAX}`;
      throw new RegattaError('BAD_PARAMETER', `db-matrix: ${what}; give less of databases or size`);
    }
    if (url !== '' && placeOf(urlOf(url, 0)) === undefined) {
      throw new RegattaError('BAD_PARAMETER', 'db-matrix: url is no URL of PostgreSQL; give postgres://user@host/name');
    }
    return databases * reads;
  },
  target({ databases, url }, _input, task) {
    const database = task % databases;
    return url === '' ? `sqlite:${database}` : placeOf(urlOf(url, database));
  },
  async run({ databases, size, url, connections, timeoutMs, seed }, { task, signal }) {
    const stored = { seed, size, database: task % databases };
    const matrix =
      url === ''
        ? await readFromSqlite(stored)
        : await readFromPostgres(stored, { url, connections, timeoutMs }, signal);
    return { database: stored.database, ...transformOf(matrix, size) };
  },
  combine(results) {
    const checksums: string[] = [];
    const databases = new Set<number>();
    let trace = 0;
    for (const { value } of results) {
      checksums.push(value.checksum);
      databases.add(value.database);
      trace += value.trace;
    }
    return { reads: checksums.length, databases: databases.size, trace, checksum: checksum(checksums) };
  },
});
