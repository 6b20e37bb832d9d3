/**
 * A board out of rows of panels.
 * - B1: ids are unique within a board, and given in reading order.
 * - B2: no panel overlaps another, and none leaves the 24 columns.
 * - B3: every board has the same variables, links and crosshair, so that one can go from one to another.
 */
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  type AnnotationQuery,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  type Panel,
  type RowPanel,
  type VariableModel,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { madeByHand } from './annotations.ts';
import { TAG, toAllBoards } from './links.ts';
import type { Unplaced } from './panels/dress.ts';
import { datasource, several } from './variables.ts';

const COLUMNS = 24;

interface Row {
  readonly title: string;
  /** Of each of its panels, in units of Grafana's grid (30 pixels). */
  readonly height: number;
  /** From left to right; what does not fit goes below. */
  readonly panels: readonly Unplaced[];
}

interface BoardWords {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly rows: readonly Row[];
  /** Besides those that every board has. */
  readonly variables?: readonly Builder<VariableModel>[];
  readonly annotations?: readonly Builder<AnnotationQuery>[];
  /** How far back it looks at first, as `now-15m`. */
  readonly from?: string;
}

export const row = (title: string, height: number, ...panels: Unplaced[]): Row => ({ title, height, panels });

export function board({
  uid,
  title,
  description,
  rows,
  variables = [],
  annotations = [],
  from,
}: BoardWords): Dashboard {
  const panels = placed(rows);
  const asks = (variable: string): boolean => JSON.stringify(panels).includes(`$${variable}`);
  const builder = new DashboardBuilder(`Regatta / ${title}`)
    .uid(uid)
    .description(description)
    .tags([TAG])
    .timezone('browser')
    .editable()
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: from ?? 'now-30m', to: 'now' })
    .refresh('10s')
    .variables([
      datasource(),
      ...variables,
      several('node', 'Node', 'regatta_node_lanes', !asks('node')),
      several('model', 'Model', 'regatta_tasks_total', !asks('model')),
    ])
    .annotations([madeByHand(), ...annotations])
    .link(toAllBoards());
  return { id: null, ...builder.build(), panels };
}

/** Each row's heading, then its panels. */
function placed(rows: readonly Row[]): (Panel | RowPanel)[] {
  const panels: (Panel | RowPanel)[] = [];
  const nextId = (): number => panels.length + 1;
  let y = 0;
  for (const { title, height, panels: inRow } of rows) {
    panels.push({
      type: 'row',
      collapsed: false,
      title,
      id: nextId(),
      panels: [],
      gridPos: { x: 0, y, w: COLUMNS, h: 1 },
    });
    y += 1;
    let x = 0;
    for (const panel of inRow) {
      const w = panel.gridPos!.w;
      if (x + w > COLUMNS) {
        x = 0;
        y += height;
      }
      panels.push({ ...panel, id: nextId(), gridPos: { x, y, w, h: height } });
      x += w;
    }
    y += height;
  }
  return panels;
}
