import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { digestValues } from '../digest.ts';
import { resolveParameters } from '../params.ts';
import { RetryLater } from '../retry-later.ts';
import { runSerially } from '../serially.ts';
import { startTarget, type Target } from '../target/target.ts';
import type { Page } from './web/fetch-page.ts';
import { webScraper } from './web-scraper.ts';

type Params = Parameters<typeof webScraper.run>[0];

let target: Target;
let directory: string;
const rawServers: Server[] = [];
before(async () => {
  target = await startTarget();
  directory = mkdtempSync(join(tmpdir(), 'web-scraper-'));
});
after(async () => {
  await target.close();
  for (const server of rawServers) server.close();
  rmSync(directory, { recursive: true });
});

const paramsOf = (given: Partial<Params>): Params => resolveParameters(webScraper, given) as Params;

async function fetchOne(
  url: string,
  given: Partial<Params> = {},
  signal = new AbortController().signal,
): Promise<Page> {
  const context = { task: 0, attempt: 1, signal, shared: undefined, input: url };
  return webScraper.run(paramsOf(given), context);
}

/** A server that does with a connection what it is told to. @returns its URL */
async function rawServer(serve: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => serve(socket));
  });
  rawServers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return `http://127.0.0.1:${address.port}/`;
}

const listed = (text: string): string => {
  const path = join(directory, `list-${Math.random()}`);
  writeFileSync(path, text);
  return path;
};

describe('the URLs of web-scraper', () => {
  const urlsOf = (given: Partial<Params>): string[] => {
    const urls = [...webScraper.inputs!(paramsOf(given))];
    assert.equal(webScraper.tasks(paramsOf(given)), urls.length);
    return urls;
  };

  it('are made of a base and a number where none are named', () => {
    const base = 'http://127.0.0.1:1/a?latency=exp:20';
    assert.deepEqual(
      urlsOf({ base, count: 2 }),
      [0, 1].map((n) => `http://127.0.0.1:1/a?latency=exp%3A20&n=${n}`),
    );
  });

  it('may be named, with commas between them and in them', () => {
    const urls = ' http://a/?x=1,2 , https://b:8443/c,d,http://e/#part ';
    assert.deepEqual(urlsOf({ urls }), ['http://a/?x=1,2', 'https://b:8443/c,d', 'http://e/']);
  });

  it('may stand in a file, with comments and blank lines', () => {
    const urls = listed('# pages\n\nhttp://a/\r\n  https://b/x \n#http://c/\n');
    assert.deepEqual(urlsOf({ urls }), ['http://a/', 'https://b/x']);
  });

  it('are refused in one line that says where they are wrong', () => {
    const path = listed('http://a/\nnonsense\n');
    const cases: [Partial<Params>, RegExp][] = [
      [{ urls: path }, /:2: "nonsense" is no URL; give http:\/\/… or https:\/\/…$/],
      [{ urls: 'http://a/,ftp://b/' }, /^web-scraper: urls: "ftp:\/\/b\/" is no URL; /],
      [{ base: 'localhost' }, /^web-scraper: base: "localhost" is no URL; /],
      [{ urls: listed('# none\n') }, /^web-scraper: there is no URL in .*; write one a line$/],
      [
        { urls: join(directory, 'nonesuch') },
        /^web-scraper: cannot read the list of URLs .*ENOENT: no such file or dir/,
      ],
      [{ urls: directory }, /^web-scraper: cannot read the list of URLs .*EISDIR/],
      [{ urls: `http://a/${'x'.repeat(9000)}` }, /has more than 8192 characters$/],
      [{ method: 'POST' }, /^web-scraper: method is "POST"; give GET or HEAD$/],
    ];
    for (const [given, message] of cases) assert.throws(() => webScraper.tasks(paramsOf(given)), { message });
  });

  it('are refused with a password, which is not repeated', () => {
    const urls = 'http://me:secret@host/';
    const message = 'web-scraper: urls: a URL of host holds a user name; it would not be sent';
    assert.throws(() => webScraper.tasks(paramsOf({ urls })), { code: 'BAD_URL', message });
  });

  it('belong to the target that is their host and port', () => {
    const targetOf = (url: string): string | undefined => webScraper.target!(paramsOf({}), url, 0);
    assert.equal(targetOf('http://a.org/x'), 'a.org:80');
    assert.equal(targetOf('https://a.org/'), 'a.org:443');
    assert.equal(targetOf('http://127.0.0.1:7480/?n=1'), '127.0.0.1:7480');
    assert.equal(targetOf('http://[::1]:8080/'), '[::1]:8080');
  });
});

describe('a fetched page', () => {
  it('has the status, the bytes and the hash of what the server sent', async () => {
    for (const bytes of [0, 1000, 3_000_000]) {
      const url = `${target.url}/?bodyBytes=${bytes}`;
      const body = new Uint8Array(await (await fetch(url)).arrayBuffer());
      const page = await fetchOne(url);
      assert.deepEqual(webScraper.comparable!(page), {
        url,
        status: 200,
        redirects: 0,
        bytes,
        sha256: createHash('sha256').update(body).digest('hex'),
      });
    }
  });

  it('has the times to its first byte and to its end', async () => {
    const url = await rawServer((socket) => {
      setTimeout(() => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na'), 100);
      setTimeout(() => socket.end('b'), 300);
    });
    const { ttfbMs, totalMs } = await fetchOne(url);
    assert.ok(ttfbMs >= 95 && totalMs >= 295 && totalMs - ttfbMs >= 100, `${ttfbMs} ms, ${totalMs} ms`);
  });

  it('is reached by redirects, which are counted', async () => {
    const { status, redirects, url, bytes } = await fetchOne(`${target.url}/?redirects=3&bodyBytes=7`, {
      redirects: 3,
    });
    assert.deepEqual([status, redirects, bytes], [200, 3, 7]);
    assert.equal(url, `${target.url}/?redirects=3&bodyBytes=7`);
  });

  it('has no body where only its head is asked for', async () => {
    const { bytes, status } = await fetchOne(`${target.url}/?bodyBytes=1000`, { method: 'HEAD' });
    assert.deepEqual([bytes, status], [0, 200]);
  });

  it('may be exactly as large as is allowed', async () => {
    assert.equal((await fetchOne(`${target.url}/?bodyBytes=1000`, { maxBytes: 1000 })).bytes, 1000);
  });
});

describe('a page that fails', () => {
  const fails = (url: string, expected: object, given: Partial<Params> = {}) =>
    assert.rejects(fetchOne(url, given), expected);

  it('by its status says which', async () => {
    for (const status of [400, 404, 429, 500, 503]) {
      const url = `${target.url}/?status=${status}`;
      await fails(url, { name: 'RegattaError', code: 'HTTP_STATUS', message: `${url}: HTTP status ${status}` });
    }
  });

  it('by its status says so though its body breaks off', async () => {
    const url = await rawServer((socket) => socket.end('HTTP/1.1 404 None\r\ncontent-length: 9\r\n\r\nhalf'));
    await fails(url, { code: 'HTTP_STATUS', message: `${url}: HTTP status 404` });
  });

  it('for now says when to come again, in seconds or by a date', async () => {
    const url = `${target.url}/?status=429&retryAfterSeconds=90`;
    const message = `${url}: HTTP status 429, to be tried again after 90 s`;
    await fails(url, { name: 'RetryLater', retryAfterMs: 90_000, message });
    const date = new Date(Date.now() + 60_000).toUTCString();
    const dated = await rawServer((socket) => {
      socket.end(`HTTP/1.1 503 Busy\r\nretry-after: ${date}\r\ncontent-length: 0\r\n\r\n`);
    });
    await assert.rejects(fetchOne(dated), (thrown) => {
      assert.ok(thrown instanceof RetryLater);
      assert.ok(thrown.retryAfterMs > 50_000 && thrown.retryAfterMs <= 60_000, `${thrown.retryAfterMs} ms`);
      return true;
    });
  });

  it('by its time says how much it had, wherever that ran out', async () => {
    const message = /^http:.*: no whole answer within 80 ms \(timeoutMs\)$/;
    const silent = await rawServer(() => {});
    await fails(silent, { code: 'TIMED_OUT', message }, { timeoutMs: 80 });
    const stuck = await rawServer((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf'));
    await fails(stuck, { code: 'TIMED_OUT', message }, { timeoutMs: 80 });
    await fails(
      `${target.url}/?redirects=9&latency=30`,
      { code: 'TIMED_OUT', message },
      { timeoutMs: 80, redirects: 9 },
    );
  });

  it('by a connection says what became of it', async () => {
    const closed = await startTarget();
    await closed.close();
    const cases: [string, string, RegExp][] = [
      [`${closed.url}/`, 'refused', /: the connection was refused: nothing listens there \(ECONNREFUSED\)$/],
      [`${target.url}/?breaks=true`, 'broken', /: the connection broke off \(\w+\)$/],
      [await rawServer((socket) => socket.resetAndDestroy()), 'reset', /: the connection broke off \(ECONNRESET\)$/],
      [await rawServer((socket) => socket.end('SSH-2.0\r\n\r\n')), 'no HTTP', /: what it answers is no HTTP: .+$/],
      // too long for a name: known to be none without asking
      [`http://${'a'.repeat(64)}.invalid/`, 'no name', /: (there is no host|the name could not be looked up).*\)$/],
    ];
    for (const [url, what, ending] of cases) {
      await assert.rejects(
        fetchOne(url),
        ({ code, message }: Error & { code: string }) => {
          assert.equal(code, 'NO_ANSWER', what);
          assert.ok(message.startsWith(`${url}: `) && !message.includes('\n'), message);
          assert.match(message, ending);
          return true;
        },
        what,
      );
    }
  });

  it('by its size is given up, not read to its end', async () => {
    const url = `${target.url}/?bodyBytes=500000000`;
    const message = `${url}: more than 1000 bytes (maxBytes), of 500000000`;
    await fails(url, { code: 'TOO_MANY_BYTES', message }, { maxBytes: 1000 });
    while (target.stats().inFlight > 0) await new Promise(setImmediate);
    assert.ok(target.stats().cutShort > 0);
  });

  it('by its redirects says how many are allowed', async () => {
    const url = `${target.url}/?redirects=3`;
    await fails(
      url,
      { code: 'TOO_MANY_REDIRECTS', message: /: more than 2 redirects, the last to / },
      { redirects: 2 },
    );
    const elsewhere = await rawServer((socket) => {
      socket.end('HTTP/1.1 302 Found\r\nlocation: file:///etc/passwd\r\ncontent-length: 0\r\n\r\n');
    });
    await fails(elsewhere, { code: 'NO_ANSWER', message: /: redirected to "file:.*", which is no HTTP URL$/ });
  });

  it('with its run gives up its connection', async () => {
    const cancel = new AbortController();
    const { inFlight, cutShort } = target.stats();
    const running = fetchOne(`${target.url}/?latency=600000`, {}, cancel.signal);
    while (target.stats().inFlight === inFlight) await new Promise(setImmediate);
    cancel.abort();
    await assert.rejects(running, { name: 'AbortError' });
    while (target.stats().cutShort === cutShort) await new Promise(setImmediate);
    await assert.rejects(fetchOne(target.url, {}, cancel.signal), { name: 'AbortError' });
  });
});

describe('many pages', () => {
  it('are fetched at once, as many as are asked for', async () => {
    const own = await startTarget({ latency: { kind: 'fixed', ms: 200 } });
    try {
      await Promise.all(Array.from({ length: 150 }, (_, n) => fetchOne(`${own.url}/?n=${n}`)));
      assert.equal(own.stats().inFlightMax, 150);
    } finally {
      await own.close();
    }
  });

  it('from one host are fetched over as many connections as are allowed', async () => {
    const own = await startTarget({ latency: { kind: 'fixed', ms: 5 } });
    try {
      await Promise.all(Array.from({ length: 40 }, (_, n) => fetchOne(`${own.url}/?n=${n}`, { connections: 3 })));
      assert.deepEqual([own.stats().inFlightMax, own.stats().requests], [3, 40]);
    } finally {
      await own.close();
    }
  });
});

describe('a run of web-scraper', () => {
  it('counts pages, bytes and redirects, and tells the times to the first byte', async () => {
    const urls = [
      `${target.url}/?bodyBytes=10`,
      `${target.url}/?bodyBytes=20&redirects=2`,
      `${target.url}/?status=204`,
    ];
    const { combined } = await runSerially(webScraper, { urls: urls.join() });
    const { ttfbMs, ...rest } = combined;
    assert.deepEqual(rest, { pages: 3, statuses: { 200: 2, 204: 1 }, bytes: 30, redirects: 2 });
    assert.ok(ttfbMs.p50! > 0 && ttfbMs.p50! <= ttfbMs.p99! && ttfbMs.p99! <= ttfbMs.max!);
  });

  it('takes quantiles by nearest rank', () => {
    const page = { url: '', status: 200, redirects: 0, bytes: 0, sha256: '', totalMs: 0 };
    const results = Array.from({ length: 200 }, (_, task) => ({ task, value: { ...page, ttfbMs: 200 - task } }));
    assert.deepEqual(webScraper.combine(results, paramsOf({})).ttfbMs, { p50: 100, p99: 198, max: 200 });
  });

  it('gives results that differ in their times alone (W1)', async () => {
    const digest = async (comparable: (page: Page) => unknown): Promise<string> => {
      const { results } = await runSerially(webScraper, { base: `${target.url}/`, count: 5 });
      return digestValues(results.map(({ value }) => comparable(value)));
    };
    assert.equal(await digest(webScraper.comparable!), await digest(webScraper.comparable!));
    assert.notEqual(await digest((page) => page), await digest((page) => page));
  });
});
