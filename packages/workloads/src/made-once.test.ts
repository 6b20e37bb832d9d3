import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { madeOnce } from './made-once.ts';

const given = process.env.REGATTA_STATE_DIR;
const root = mkdtempSync(join(tmpdir(), 'made-once-'));
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(root, 'state-'));
  process.env.REGATTA_STATE_DIR = directory;
});
after(() => {
  if (given === undefined) delete process.env.REGATTA_STATE_DIR;
  else process.env.REGATTA_STATE_DIR = given;
  rmSync(root, { recursive: true });
});

describe('a file that is made once', () => {
  it('is made where there is none, and then no more', () => {
    let times = 0;
    const make = (path: string): void => writeFileSync(path, String(++times));
    const path = madeOnce('a', make);
    assert.equal(path, join(directory, 'made', 'a'));
    assert.equal(madeOnce('a', make), path);
    assert.equal(readFileSync(path, 'utf8'), '1');
  });

  it('has its name only when it is whole (M1)', () => {
    const path = join(directory, 'made', 'a');
    madeOnce('a', (part) => {
      writeFileSync(part, 'half');
      assert.equal(existsSync(path), false);
      writeFileSync(part, 'whole');
    });
    assert.deepEqual(readdirSync(join(directory, 'made')), ['a']);
    assert.equal(readFileSync(path, 'utf8'), 'whole');
  });

  it('leaves nothing behind where making it fails, and is made the next time', () => {
    const fail = (part: string): void => {
      writeFileSync(part, 'half');
      throw new Error('no more room');
    };
    const message = /^cannot make .*made\/a \(no more room\); set REGATTA_STATE_DIR to where there is room$/;
    assert.throws(() => madeOnce('a', fail), { code: 'CANNOT_MAKE', message });
    assert.deepEqual(readdirSync(join(directory, 'made')), []);
    assert.equal(
      readFileSync(
        madeOnce('a', (part) => writeFileSync(part, 'b')),
        'utf8',
      ),
      'b',
    );
  });

  it('is refused in one line where there can be no folder for it', () => {
    writeFileSync(join(directory, 'file'), '');
    process.env.REGATTA_STATE_DIR = join(directory, 'file');
    assert.throws(() => madeOnce('a', () => {}), { code: 'CANNOT_MAKE', message: /ENOTDIR: not a directory\); set / });
  });

  it('may be made by many processes at a time, and none sees half of it (M1)', async () => {
    const script = join(directory, 'maker.ts');
    writeFileSync(
      script,
      `import { readFileSync, appendFileSync } from 'node:fs';
       import { madeOnce } from ${JSON.stringify(join(import.meta.dirname, 'made-once.ts'))};
       process.once('message', () => {
         for (let n = 0; n < 20; n++) {
           const path = madeOnce('f' + n, (part) => { for (let i = 0; i < 50; i++) appendFileSync(part, 'x'.repeat(1000)); });
           if (readFileSync(path).length !== 50_000) process.exit(3);
         }
         process.exit(0);
       });
       process.send('ready');`,
    );
    const makers = Array.from({ length: 4 }, () => fork(script));
    await Promise.all(makers.map((maker) => once(maker, 'message')));
    for (const maker of makers) maker.send('go');
    const exits = await Promise.all(makers.map((maker) => once(maker, 'exit')));
    assert.deepEqual(exits, Array(4).fill([0, null]));
    assert.equal(readdirSync(join(directory, 'made')).length, 20);
  });

  it('sweeps away what a killed maker left long ago, and nothing else (M2)', () => {
    const made = join(directory, 'made');
    mkdirSync(made);
    for (const name of ['old.part', 'new.part', 'old']) writeFileSync(join(made, name), '');
    for (const name of ['old.part', 'old']) utimesSync(join(made, name), 1, 1);
    madeOnce('a', (part) => writeFileSync(part, ''));
    assert.deepEqual(readdirSync(made).sort(), ['a', 'new.part', 'old']);
  });
});
