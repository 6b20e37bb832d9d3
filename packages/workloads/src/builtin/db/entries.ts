/** A matrix as a table holds it: one row for each entry, in any order. */
import { RegattaError } from '@regatta/kernel';

/** Its row and its column from 0, and the entry itself. */
export type EntryRow = readonly [row: number, column: number, value: number];

/**
 * @param where the table's name, for people
 * @throws RegattaError WRONG_DATA where it is not `size` x `size` entries, each once
 */
export function matrixOf(rows: Iterable<EntryRow>, size: number, where: string): Float64Array {
  const matrix = new Float64Array(size * size).fill(Number.NaN);
  let found = 0;
  for (const [row, column, value] of rows) {
    const isNew = row >= 0 && row < size && column >= 0 && column < size && Number.isNaN(matrix[row * size + column]);
    if (!isNew || typeof value !== 'number') throw wrong(where, `an entry at (${row}, ${column}) does not belong`);
    matrix[row * size + column] = value;
    found++;
  }
  if (found < size * size) throw wrong(where, `it holds ${found} of ${size * size} entries`);
  return matrix;
}

const wrong = (where: string, what: string): RegattaError =>
  new RegattaError('WRONG_DATA', `${where} is not as db-matrix made it: ${what}; remove it, and it is made anew`);
