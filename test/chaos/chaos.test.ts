/** The short form of `npm run chaos`, so that what it checks cannot rot, and nor can it. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { chaos } from './chaos.ts';
import { shortForm } from './forms.ts';
import { textOf } from './report.ts';

const seed = Number(process.env.REGATTA_SEED ?? 1);

// Where the runner gives up on this file, it says so by SIGTERM: by way of exit(), the cluster is ended.
const onSignal = (): never => process.exit(130);
process.once('SIGTERM', onSignal);
after(() => process.off('SIGTERM', onSignal));

describe('while agents, coordinators and nats-server are killed, paused and started again', () => {
  it('every run ends as it must, each result once and as the serial one', { timeout: 115_000 }, async (t) => {
    const report = await chaos(shortForm(seed, (line) => t.diagnostic(line)));
    assert.deepEqual(report.wrong, [], textOf(report));
    const falls = Object.values(report.faults).reduce((sum, count) => sum + count, 0);
    assert.ok(falls >= 5, `too little befell the cluster; ${textOf(report)}`);
  });
});
