import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { NowAndThen } from './now-and-then.ts';

const QUIET_MS = 10_000;
let lines: string[];
let nowAndThen: NowAndThen;

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout'] });
  lines = [];
  nowAndThen = new NowAndThen(QUIET_MS, (line) => void lines.push(line));
});
afterEach(() => mock.timers.reset());

const note = (who: string): void =>
  nowAndThen.note(`${who} came`, (count) => `${count} more came, the last was ${who}`);

describe('what may happen as often as strangers like', () => {
  it('is told at once the first time', () => {
    note('a');
    assert.deepEqual(lines, ['a came']);
  });

  it('is told no more than once in each while, and then how often it was and of the last', () => {
    for (let i = 0; i <= 1_000; i++) note(`${i}`);
    mock.timers.tick(QUIET_MS - 1);
    assert.equal(lines.length, 1);
    mock.timers.tick(1);
    assert.deepEqual(lines.slice(1), ['1000 more came, the last was 1000']);
    note('b');
    note('c');
    assert.equal(lines.length, 2);
    mock.timers.tick(QUIET_MS);
    assert.deepEqual(lines.slice(2), ['2 more came, the last was c']);
  });

  it('is not told of again until it happens again, and then at once', () => {
    note('a');
    mock.timers.tick(3 * QUIET_MS);
    assert.equal(lines.length, 1);
    note('b');
    assert.deepEqual(lines, ['a came', 'b came']);
  });
});
