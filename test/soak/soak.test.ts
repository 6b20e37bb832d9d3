/** The short form of `npm run soak`, so that what it checks cannot rot, and nor can it. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { shortForm } from './forms.ts';
import { faultKinds } from './journal.ts';
import { textOf } from './report.ts';
import { soak } from './soak.ts';

const seed = Number(process.env.REGATTA_SEED ?? 1);

// Where the runner gives up on this file, it says so by SIGTERM: by way of exit(), the cluster is ended.
const onSignal = (): never => process.exit(130);
process.once('SIGTERM', onSignal);
after(() => process.off('SIGTERM', onSignal));

describe('half a minute of mixed work with faults', () => {
  it('leaks nothing, stands never still, and each run ends as it must', { timeout: 110_000 }, async (t) => {
    const report = await soak(shortForm(seed, (line) => t.diagnostic(line)));
    assert.deepEqual(report.reasons, [], textOf(report));
    const missing = faultKinds.filter((kind) => report.faults[kind] === 0);
    assert.deepEqual(missing, [], `faults that did not strike; ${textOf(report)}`);
    assert.ok(report.memory.length > 0, 'no process was seen for long enough to judge its memory');
  });
});
