/** Grafana: whether it is well and, with a token, whether our boards are there as they are committed. */

import { type Essence, essenceOf, isSame } from './essence.ts';
import { BOARD_UIDS, committedBoards, DATASOURCE_UID } from './expected.ts';
import { about, type Finding, listed } from './finding.ts';
import { getJson } from './http.ts';
import { limits } from './limits.ts';
import { type Outcome, probe } from './probe.ts';

export interface GrafanaFacts {
  readonly url: string;
  readonly health: Outcome<{ readonly version: string; readonly database: string }>;
  /** Undefined where there is no token. */
  readonly boards: readonly { readonly uid: string; readonly board: Outcome<Essence> }[] | undefined;
  /** What the datasource says of itself. */
  readonly datasource: Outcome<{ readonly status: string; readonly message: string }> | undefined;
}

export async function examineGrafana(url: string, token: string | undefined): Promise<GrafanaFacts> {
  const ask = <T>(path: string, read: (json: Json) => T, shown?: string): Promise<Outcome<T>> =>
    probe(async (signal) => read(((await getJson(url, path, { signal, token: shown })) ?? {}) as Json));
  const words = (json: Json, key: string): string => (typeof json[key] === 'string' ? json[key] : '');
  const [health, datasource, boards] = await Promise.all([
    ask('api/health', (json) => ({ version: words(json, 'version'), database: words(json, 'database') })),
    token === undefined
      ? undefined
      : ask(
          `api/datasources/uid/${DATASOURCE_UID}/health`,
          (json) => ({ status: words(json, 'status'), message: words(json, 'message') }),
          token,
        ),
    token === undefined
      ? undefined
      : Promise.all(
          BOARD_UIDS.map(async (uid) => ({
            uid,
            board: await ask(`api/dashboards/uid/${uid}`, ({ dashboard }) => essenceOf(dashboard), token),
          })),
        ),
  ]);
  return { url, health, boards, datasource };
}

type Json = Readonly<Record<string, unknown>>;

/** @param committed by uid, as this checkout has them; empty where there are none to compare with */
export function judgeGrafana(
  { url, health, boards, datasource }: GrafanaFacts,
  committed: ReadonlyMap<string, Essence> = committedBoards(),
): Finding[] {
  const { ok, skipped, warning, wrong } = about('Grafana', new URL(url).host);
  if (health.kind === 'failed') return [wrong(`cannot be asked: ${health.why}`, 'start it, or correct --grafana')];
  const { version, database } = health.value;
  const found = [
    database === 'ok' ? ok(version) : wrong(`${version}, its database: ${database || 'unknown'}`, 'see its log'),
  ];
  if (boards === undefined || datasource === undefined) {
    return [...found, skipped('boards and datasource are not looked at: that needs --grafana-token-file')];
  }
  const refused = boards.some(({ board }) => board.kind === 'failed' && /^HTTP_40[13]$/.test(board.code));
  if (refused) {
    const mend = 'give --grafana-token-file with a token of a service account that may view dashboards and datasources';
    return [...found, warning('boards cannot be looked at: it refuses the token', mend)];
  }
  return [...found, ...judgeBoards(boards, committed), judgeDatasource(datasource)];
}

function judgeBoards(boards: NonNullable<GrafanaFacts['boards']>, committed: ReadonlyMap<string, Essence>): Finding[] {
  const { ok, warning, wrong } = about('Grafana', 'dashboards');
  const found: Finding[] = [];
  const names = (some: typeof boards): string =>
    listed(
      some.map(({ uid }) => uid),
      limits.namesShownMax,
    );
  const isMissing = ({ board }: (typeof boards)[number]): boolean =>
    board.kind === 'failed' && board.code === 'HTTP_404';
  const missing = boards.filter(isMissing);
  const mend = 'mount grafana/provisioning and grafana/dashboards of this version, as deploy/compose.yaml does';
  if (missing.length > 0) found.push(wrong(`not there: ${names(missing)}`, mend));
  for (const { uid, board } of boards.filter((one) => !isMissing(one))) {
    if (board.kind === 'failed') found.push(wrong(`${uid} cannot be asked for: ${board.why}`, "see Grafana's log"));
  }
  const others = boards.filter(({ uid, board }) => {
    const ours = committed.get(uid);
    return board.kind === 'answered' && ours !== undefined && !isSame(board.value, ours);
  });
  if (others.length > 0) found.push(warning(`of another version than this one: ${names(others)}`, mend));
  if (found.length > 0) return found;
  const compared =
    committed.size === 0 ? '; whether they are of this version cannot be told without a checkout' : ', of this version';
  return [ok(`all ${boards.length} are there${compared}`)];
}

function judgeDatasource(outcome: NonNullable<GrafanaFacts['datasource']>): Finding {
  const { ok, wrong } = about('Grafana', 'datasource');
  const mend =
    'set PROMETHEUS_URL in its environment to where Grafana reaches Prometheus, and mount grafana/provisioning';
  if (outcome.kind === 'failed') return wrong(`${DATASOURCE_UID} does not answer: ${outcome.why}`, mend);
  const { status, message } = outcome.value;
  return status === 'OK' ? ok('answers') : wrong(`${DATASOURCE_UID}: ${message || status}`, mend);
}
