/** What deploy/ and grafana/ of this checkout bring to Prometheus and Grafana, by name. A test holds it against the files. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Essence, essenceOf } from './essence.ts';

export const JOBS = { coordinator: 'regatta-coordinator', nodes: 'regatta-nodes' } as const;

export const RULE_GROUPS: readonly string[] = [
  'regatta-cluster',
  'regatta-runs',
  'regatta-nodes',
  'regatta-nats',
  'regatta-processes',
  'regatta-work',
];

export const BOARD_UIDS: readonly string[] = [
  'regatta-overview',
  'regatta-run',
  'regatta-race',
  'regatta-nodes',
  'regatta-nats',
];

export const DATASOURCE_UID = 'regatta-prometheus';

const BOARDS = fileURLToPath(new URL('../../../../grafana/dashboards', import.meta.url));

/** The committed dashboards, by uid; none where this is not a checkout: an image holds no dashboards. */
export function committedBoards(folder: string = BOARDS): ReadonlyMap<string, Essence> {
  try {
    const files = readdirSync(folder).filter((file) => file.endsWith('.json'));
    const boards = files.map((file) => essenceOf(JSON.parse(readFileSync(join(folder, file), 'utf8'))));
    return new Map(boards.map((board) => [board.uid, board]));
  } catch {
    return new Map();
  }
}
