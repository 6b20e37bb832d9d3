import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { testFiles } from './select.ts';

const root = mkdtempSync(join(tmpdir(), 'regatta-select-'));
after(() => rmSync(root, { recursive: true }));
for (const path of ['a/one.test.ts', 'a/b/two.test.ts', 'a/code.ts', 'a/node_modules/x/their.test.ts']) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), '');
}

describe('a pattern', () => {
  it('may be a file, a glob, a folder, or absolute', () => {
    assert.deepEqual(testFiles(['a/one.test.ts'], root).files, ['a/one.test.ts']);
    assert.deepEqual(testFiles(['a/*.test.ts'], root).files, ['a/one.test.ts']);
    assert.deepEqual(testFiles(['a'], root).files, ['a/b/two.test.ts', 'a/one.test.ts']);
    assert.deepEqual(testFiles([join(root, 'a/b')], root).files, ['a/b/two.test.ts']);
  });

  it('gives a file once, though two name it', () => {
    assert.deepEqual(testFiles(['a/b', 'a/**/*.test.ts'], root).files, ['a/b/two.test.ts', 'a/one.test.ts']);
  });

  it('is told back where it matches no test', () => {
    assert.deepEqual(testFiles(['a/b', 'a/code.ts', 'c'], root).unmatched, ['a/code.ts', 'c']);
  });
});
