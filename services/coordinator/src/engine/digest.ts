import { crc32 } from 'node:zlib';
import type { Effect } from '@regatta/scheduler';

/** Of effects in their order: equal for equal ones, and hardly ever for others. */
export const digestOf = (effects: readonly Effect[]): number =>
  effects.length === 0 ? 0 : crc32(JSON.stringify(effects));
