/** The boards as they are committed: what Grafana will read, not what made it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const BOARDS = fileURLToPath(new URL('../../grafana/dashboards', import.meta.url));

export interface CommittedQuery {
  readonly refId: string;
  readonly expr: string;
  readonly legendFormat: string;
  readonly format: string;
  readonly instant: boolean;
  readonly datasource: unknown;
}

export interface CommittedPanel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description: string;
  readonly datasource: unknown;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: readonly CommittedQuery[];
  readonly fieldConfig: {
    readonly defaults: {
      readonly unit?: string;
      readonly thresholds: { readonly steps: readonly { readonly value: number | null }[] };
    };
  };
  readonly options: {
    readonly calculate?: boolean;
    readonly color?: { readonly scheme: string };
    readonly legend?: { readonly calcs: readonly string[] };
    readonly reduceOptions?: { readonly calcs: readonly string[] };
  };
}

interface CommittedVariable {
  readonly name: string;
  readonly type: string;
  readonly query: string | { readonly query: string };
  readonly hide?: number;
  readonly multi: boolean;
  readonly includeAll: boolean;
}

export interface CommittedBoard {
  readonly uid: string;
  readonly title: string;
  readonly tags: readonly string[];
  readonly graphTooltip: number;
  readonly panels: readonly CommittedPanel[];
  readonly links: readonly {
    readonly type: string;
    readonly tags: readonly string[];
    readonly keepTime: boolean;
    readonly includeVars: boolean;
  }[];
  readonly templating: { readonly list: readonly CommittedVariable[] };
  readonly annotations: {
    readonly list: readonly { readonly name: string; readonly builtIn?: number; readonly expr?: string }[];
  };
}

/** In the order of their files' names, without `.json`. */
export const committed: readonly { readonly name: string; readonly board: CommittedBoard }[] = readdirSync(BOARDS)
  .filter((file) => file.endsWith('.json'))
  .map((file) => ({
    name: file.slice(0, -'.json'.length),
    board: JSON.parse(readFileSync(join(BOARDS, file), 'utf8')) as CommittedBoard,
  }));

/** Without the headings of rows. */
export const panelsOf = (board: CommittedBoard): readonly CommittedPanel[] =>
  board.panels.filter(({ type }) => type !== 'row');

export interface Asked {
  /** Board and panel, to be found again. */
  readonly where: string;
  readonly expr: string;
  /** One value of now; a range otherwise. */
  readonly instant: boolean;
}

/** Every query of every panel. */
export const panelQueries: readonly Asked[] = committed.flatMap(({ name, board }) =>
  panelsOf(board).flatMap(({ title, targets }) =>
    targets.map(({ refId, expr, instant }) => ({ where: `${name}: ${title} (${refId})`, expr, instant })),
  ),
);

/** What annotations ask. */
export const annotationQueries: readonly Asked[] = committed.flatMap(({ name, board }) =>
  board.annotations.list.flatMap(({ name: mark, expr }) =>
    expr === undefined ? [] : [{ where: `${name}: mark ${mark}`, expr, instant: false }],
  ),
);

/** Where variables take their values from: a label of a metric. */
export const variableSources: readonly { where: string; metric: string; label: string }[] = committed.flatMap(
  ({ name, board }) =>
    board.templating.list
      .filter(({ type }) => type === 'query')
      .map((variable) => {
        const query = typeof variable.query === 'string' ? variable.query : variable.query.query;
        const [, metric, label] = /^label_values\((\w+), (\w+)\)$/.exec(query) ?? [];
        if (metric === undefined || label === undefined) throw new Error(`${name}: cannot read ${query}`);
        return { where: `${name}: variable ${variable.name}`, metric, label };
      }),
);
