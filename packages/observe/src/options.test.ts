import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { resolveMetrics } from './options.ts';

const TOKEN = 'a-token-of-enough-length';
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
    assert.equal(resolveMetrics({}, false), undefined);
    assert.equal(resolveMetrics({ metrics: '', metricsTokenFile: '' }, false), undefined);
  });

  it('is open to this machine without a token', () => {
    const told = resolveMetrics({ metrics: '127.0.0.1:0' }, false);
    assert.deepEqual(told, { door: { listen: '127.0.0.1:0', token: undefined }, warning: undefined });
  });

  it('is open to others with a token, without a warning', () => {
    const told = resolveMetrics({ metrics: '0.0.0.0:9464', metricsTokenFile: tokenFile }, false);
    assert.deepEqual(told, { door: { listen: '0.0.0.0:9464', token: TOKEN }, warning: undefined });
  });

  it('is open to all without one only where that was called insecure, and is warned of', () => {
    const flags = { metrics: '0.0.0.0:9464' };
    assert.throws(() => resolveMetrics(flags, false), {
      code: 'INSECURE_LISTEN',
      message: /^--metrics 0\.0\.0\.0:9464 /,
    });
    assert.match(resolveMetrics(flags, true)!.warning!, /^INSECURE: --metrics 0\.0\.0\.0:9464 is open to other hosts/);
  });

  it('is refused with a token that cannot be had, whether or not metrics are asked for', () => {
    const metricsTokenFile = join(folder, 'none');
    for (const metrics of [undefined, '127.0.0.1:0']) {
      assert.throws(() => resolveMetrics({ metrics, metricsTokenFile }, true), {
        code: 'BAD_SECRET',
        message: /^cannot read what --metrics-token-file names: ENOENT/,
      });
    }
  });
});
