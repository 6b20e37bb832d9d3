import type { Workload } from '../define.ts';
import { dbMatrix } from './db-matrix.ts';
import { echo } from './echo.ts';
import { faulty } from './faulty.ts';
import { fileDigest } from './file-digest.ts';
import { ioWait } from './io-wait.ts';
import { mandelbrot } from './mandelbrot.ts';
import { matrixTransform } from './matrix-transform.ts';
import { monteCarloPi } from './monte-carlo-pi.ts';
import { noop } from './noop.ts';
import { numberCruncher } from './number-cruncher.ts';
import { sharedCounter } from './shared-counter.ts';
import { sumList } from './sum-list.ts';
import { synthetic } from './synthetic.ts';
import { webScraper } from './web-scraper.ts';

/** What Regatta can run with no code of yours, in the order that they are listed in. */
export const builtinWorkloads: readonly Workload[] = [
  numberCruncher,
  sumList,
  mandelbrot,
  webScraper,
  dbMatrix,
  fileDigest,
  synthetic,
  ioWait,
  noop,
  monteCarloPi,
  matrixTransform,
  sharedCounter,
  echo,
  faulty,
];

export const findWorkload = (name: string): Workload | undefined =>
  builtinWorkloads.find((workload) => workload.name === name);
