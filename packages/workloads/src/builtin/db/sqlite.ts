/** A matrix in a SQLite file. SQLite is a library, not a server: it reads on the thread that asks, which waits. */
import type { DatabaseSync } from 'node:sqlite';
import { messageOf, RegattaError } from '@regatta/kernel';
import { madeOnce } from '../../made-once.ts';
import { seededMatrix } from '../matrix.ts';
import { type EntryRow, matrixOf } from './entries.ts';

type Database = typeof DatabaseSync;

export interface StoredMatrix {
  readonly seed: number;
  readonly database: number;
  readonly size: number;
}

/**
 * The matrix out of its file, which is made first where there is none.
 * @throws RegattaError CANNOT_MAKE, or WRONG_DATA where the file is not what it should be
 */
export async function readFromSqlite(stored: StoredMatrix): Promise<Float64Array> {
  const { DatabaseSync: Sqlite } = await import('node:sqlite');
  const { seed, database, size } = stored;
  const path = madeOnce(`db-matrix-${seed}-${database}-${size}.sqlite`, (part) => write(Sqlite, part, stored));
  try {
    using opened = new Sqlite(path, { readOnly: true });
    const select = opened.prepare('SELECT r, c, value FROM entries');
    select.setReturnArrays(true);
    return matrixOf(select.iterate() as unknown as Iterable<EntryRow>, size, path);
  } catch (thrown) {
    if (thrown instanceof RegattaError) throw thrown;
    const what = `${messageOf(thrown)}; remove it, and it is made anew`;
    throw new RegattaError('WRONG_DATA', `${path} cannot be read: ${what}`);
  }
}

function write(Sqlite: Database, path: string, { seed, database, size }: StoredMatrix): void {
  const matrix = seededMatrix(seed, database, size);
  using opened = new Sqlite(path);
  // No journal beside it: the file is nobody's before it has its name.
  opened.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN');
  opened.exec('CREATE TABLE entries (r INTEGER, c INTEGER, value REAL, PRIMARY KEY (r, c)) WITHOUT ROWID, STRICT');
  const insert = opened.prepare('INSERT INTO entries VALUES (?, ?, ?)');
  for (let i = 0; i < matrix.length; i++) insert.run(Math.floor(i / size), i % size, matrix[i]!);
  opened.exec('COMMIT');
}
