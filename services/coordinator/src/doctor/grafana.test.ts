/** Against a server that answers as Grafana does: paths, statuses and bodies are those of its HTTP API. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BOARD_UIDS } from './expected.ts';
import type { Finding } from './finding.ts';
import { examineGrafana, judgeGrafana } from './grafana.ts';

const TOKEN = 'glsa_test';
const boards = fileURLToPath(new URL('../../../../grafana/dashboards/', import.meta.url));
const sound = (): Record<string, unknown> => ({
  '/api/health': { database: 'ok', version: '11.6.0' },
  '/api/datasources/uid/regatta-prometheus/health': {
    status: 'OK',
    message: 'Successfully queried the Prometheus API.',
  },
  ...Object.fromEntries(
    BOARD_UIDS.map((uid) => [
      `/api/dashboards/uid/${uid}`,
      {
        dashboard: {
          ...JSON.parse(readFileSync(`${boards}${uid.replace('regatta-', '')}.json`, 'utf8')),
          id: 1,
          version: 1,
        },
        meta: {},
      },
    ]),
  ),
});

let server: Server;
let url: string;
let has = sound();

before(async () => {
  server = createServer(({ url: path = '', headers }, response) => {
    const refused = path !== '/api/health' && headers.authorization !== `Bearer ${TOKEN}`;
    const body = refused ? { message: 'Invalid API key' } : (has[path] ?? { message: 'Dashboard not found' });
    response.writeHead(refused ? 401 : path in has ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  has = sound();
});
after(() => server.close());

const judge = async (token: string | undefined = TOKEN): Promise<Finding[]> =>
  judgeGrafana(await examineGrafana(url, token));
const only = (findings: readonly Finding[]): Finding => {
  const [one, ...more] = findings.filter(({ level }) => level !== 'ok');
  assert.ok(one !== undefined && more.length === 0, JSON.stringify(findings));
  return one;
};

describe('Grafana', () => {
  it('with all boards as they are committed gives nothing to mend', async () => {
    const findings = await judge();
    assert.deepEqual(
      findings.map(({ level }) => level),
      ['ok', 'ok', 'ok'],
    );
    assert.equal(findings[1]!.what, 'all 5 are there, of this version');
  });

  it('without a token is asked how it is, and nothing else', async () => {
    const findings = judgeGrafana(await examineGrafana(url, undefined));
    assert.deepEqual(
      findings.map(({ level }) => level),
      ['ok', 'skipped'],
    );
    assert.match(findings[1]!.what, /--grafana-token-file/);
  });

  it('that refuses the token is warned of, once', async () => {
    assert.match(only(await judge('glsa_wrong')).what, /refuses the token/);
  });

  it('without a board, or with one of another version, is told of by name', async () => {
    delete has['/api/dashboards/uid/regatta-race'];
    const missing = only(await judge());
    assert.deepEqual([missing.level, missing.what], ['wrong', 'not there: regatta-race']);
    has = sound();
    const { dashboard } = has['/api/dashboards/uid/regatta-run'] as { dashboard: { panels: unknown[] } };
    dashboard.panels.pop();
    const older = only(await judge());
    assert.deepEqual([older.level, older.what], ['warning', 'of another version than this one: regatta-run']);
  });

  it('whose datasource does not answer, or whose database is not well, is wrong', async () => {
    has['/api/datasources/uid/regatta-prometheus/health'] = { status: 'ERROR', message: 'connection refused' };
    assert.equal(only(await judge()).what, 'regatta-prometheus: connection refused');
    has = { ...sound(), '/api/health': { database: 'failing', version: '11.6.0' } };
    assert.match(only(await judge()).what, /database: failing/);
  });

  it('that is none, or is not there, is wrong', async () => {
    has = {};
    assert.match(only(await judge()).what, /answers 404 to \/api\/health/);
    const nowhere = judgeGrafana(await examineGrafana('http://127.0.0.1:9', undefined));
    assert.equal(only(nowhere).level, 'wrong');
  });
});
