import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { about } from '../../doctor/finding.ts';
import { doctorObject, doctorText } from './doctor.ts';

const findings = [
  about('coordinator', 'leadership').ok('a:1 leads'),
  about('nodes', 'n1').warning('it is 0.2.0', 'upgrade it'),
  about('NATS', 'box:4222').wrong('gone\nfor good\x1b[2J', 'start it'),
];

describe('what the doctor found', () => {
  it('is a line each, with what to do below what is not as it should be, and the sum', () => {
    const lines = [
      'ok       coordinator  leadership  a:1 leads',
      'warning  nodes        n1          it is 0.2.0',
      '         → upgrade it',
      'wrong    NATS         box:4222    gone; for good [2J',
      '         → start it',
      '',
      '1 ok, 0 skipped, 1 warning, 1 wrong',
      '',
    ];
    assert.deepEqual(doctorText(findings, false).split('\n'), lines);
  });

  it('has colours on a terminal, and the words with them', () => {
    const text = doctorText(findings, true);
    assert.ok(text.includes('\x1b[31mwrong  \x1b[39m  NATS'));
    assert.ok(text.includes('\x1b[33mwarning\x1b[39m'));
    assert.ok(text.includes('\x1b[32mok     \x1b[39m'));
  });

  it('is ok for scripts while nothing is wrong and a cluster was reached', () => {
    const sound = findings.slice(0, 2);
    assert.deepEqual(doctorObject(sound, true), { ok: true, checks: sound });
    assert.deepEqual(doctorObject(findings, true), { ok: false, checks: findings });
    assert.deepEqual(doctorObject(sound, false), { ok: false, checks: sound });
    assert.deepEqual(Object.keys(findings[1]!), ['group', 'name', 'level', 'what', 'mend']);
  });
});
