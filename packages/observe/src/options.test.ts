import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { metricsTokenOf } from '@regatta/access';
import { resolveMetrics } from './options.ts';

const TOKEN = 'a-token-of-enough-length';
const JOIN = 'the-token-of-all-others';
let folder: string;
let tokenFile: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'regatta-metrics-options-'));
  tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, `${TOKEN}\n`);
});
after(() => rmSync(folder, { recursive: true }));

describe('where metrics are to be told', () => {
  it('is nowhere where nobody asked, also by a variable that is empty', () => {
    assert.equal(resolveMetrics({}, JOIN, false), undefined);
    assert.equal(resolveMetrics({ metrics: '', metricsTokenFile: '' }, JOIN, false), undefined);
  });

  it('is open to this machine without a token, unless one is given', () => {
    const told = (file?: string) => resolveMetrics({ metrics: '127.0.0.1:0', metricsTokenFile: file }, JOIN, false);
    assert.deepEqual(told(), { door: { listen: '127.0.0.1:0', token: undefined }, warning: undefined });
    assert.deepEqual(told(tokenFile), { door: { listen: '127.0.0.1:0', token: TOKEN }, warning: undefined });
  });

  it('is open to others with the join token alone, for whoever has the token that follows from it', () => {
    for (const insecure of [false, true]) {
      const told = resolveMetrics({ metrics: '0.0.0.0:9464' }, JOIN, insecure);
      assert.deepEqual(told, { door: { listen: '0.0.0.0:9464', token: metricsTokenOf(JOIN) }, warning: undefined });
    }
  });

  it('is open to others with a token of its own, which counts more, without a warning', () => {
    const told = resolveMetrics({ metrics: '0.0.0.0:9464', metricsTokenFile: tokenFile }, JOIN, false);
    assert.deepEqual(told, { door: { listen: '0.0.0.0:9464', token: TOKEN }, warning: undefined });
  });

  it('is open to all without one only where that was called insecure, and is warned of', () => {
    const flags = { metrics: '0.0.0.0:9464' };
    assert.throws(() => resolveMetrics(flags, undefined, false), {
      code: 'INSECURE_LISTEN',
      message: /^--metrics 0\.0\.0\.0:9464 /,
    });
    assert.match(
      resolveMetrics(flags, undefined, true)!.warning!,
      /^INSECURE: --metrics 0\.0\.0\.0:9464 is open to other hosts/,
    );
  });

  it('is refused with a token that cannot be had, whether or not metrics are asked for', () => {
    const metricsTokenFile = join(folder, 'none');
    for (const metrics of [undefined, '127.0.0.1:0']) {
      assert.throws(() => resolveMetrics({ metrics, metricsTokenFile }, undefined, true), {
        code: 'BAD_SECRET',
        message: /^cannot read what --metrics-token-file names: ENOENT/,
      });
    }
  });
});
