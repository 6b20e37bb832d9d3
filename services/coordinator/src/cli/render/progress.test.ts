import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { startProgress } from './progress.ts';

const before = Object.getOwnPropertyDescriptor(process.stderr, 'isTTY');
let written: string[];
let now: number;

const terminal = (isTTY: boolean): void => {
  Object.defineProperty(process.stderr, 'isTTY', { value: isTTY, configurable: true });
};

beforeEach(() => {
  written = [];
  now = 1_000;
  mock.method(performance, 'now', () => now);
  mock.method(process.stderr, 'write', (text: string) => written.push(text) > 0);
});

afterEach(() => {
  mock.restoreAll();
  if (before === undefined) Reflect.deleteProperty(process.stderr, 'isTTY');
  else Object.defineProperty(process.stderr, 'isTTY', before);
});

describe('on a terminal', () => {
  beforeEach(() => terminal(true));

  it('draws a bar over the one before, with the rate and the time left', () => {
    const progress = startProgress('noop');
    now += 1_000;
    progress.update(250, 1000);
    assert.deepEqual(written, [`\r\x1b[2Knoop ${'█'.repeat(6)}${'░'.repeat(18)} 250/1,000, 250/s, 3000 ms left`]);
  });

  it('does not draw more often than people can see, but always draws the end', () => {
    const progress = startProgress('noop');
    for (const done of [1, 2, 3, 10]) progress.update(done, 10);
    assert.equal(written.length, 2);
    assert.match(written[1]!, /10\/10/);
  });

  it('leaves nothing behind', () => {
    const progress = startProgress('noop');
    progress.finish();
    progress.update(1, 2);
    assert.deepEqual(written, ['\r\x1b[2K']);
  });

  it('draws nothing while it is to be quiet, not even the end', () => {
    const progress = startProgress('noop', 500);
    for (const done of [0, 500, 1000]) progress.update(done, 1000);
    now += 499;
    progress.update(1000, 1000);
    assert.deepEqual(written, []);
    now += 1;
    progress.update(250, 1000);
    assert.match(written.join(), /250\/1,000/);
  });

  it('fits on one line', () => {
    startProgress('x'.repeat(1_000)).update(1, 2);
    assert.ok(written[0]!.length <= '\r\x1b[2K'.length + (process.stderr.columns || 80) - 1);
  });
});

describe('in a pipe', () => {
  beforeEach(() => terminal(false));

  it('says a plain line every two seconds', () => {
    const progress = startProgress('noop');
    for (let i = 0; i < 5; i++) {
      now += 1_000;
      progress.update(i * 250, 1000);
    }
    const lines = [
      'noop: 250 of 1,000 tasks (25%), 125/s, 6000 ms left\n',
      'noop: 750 of 1,000 tasks (75%), 188/s, 1333 ms left\n',
    ];
    assert.deepEqual(written, lines);
  });

  it('says nothing of what is soon over', () => {
    const progress = startProgress('noop');
    progress.update(1, 1);
    progress.finish();
    now += 10_000;
    progress.update(1, 1);
    assert.deepEqual(written, []);
  });
});
