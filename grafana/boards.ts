/** All boards, and their files. */
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { nats } from './boards/nats.ts';
import { nodes } from './boards/nodes.ts';
import { overview } from './boards/overview.ts';
import { race } from './boards/race.ts';
import { run } from './boards/run.ts';

const BOARDS: Readonly<Record<string, Dashboard>> = { overview, run, race, nodes, nats };

/** By file name; as the formatter would have it but for long lines, so that a change shows as its own lines. */
export const boardFiles = (): Map<string, string> =>
  new Map(Object.entries(BOARDS).map(([name, board]) => [`${name}.json`, `${JSON.stringify(board, null, 2)}\n`]));
