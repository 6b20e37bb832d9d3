import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { applyTree, differencesBetween, readTree } from './tree.ts';

const tree = (files: Record<string, string>) =>
  new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)]));

describe('generated code', () => {
  it('is up to date where every byte is the same', () => {
    assert.deepEqual(
      differencesBetween(tree({ 'a.ts': 'x', 'b/c.ts': 'y' }), tree({ 'b/c.ts': 'y', 'a.ts': 'x' })),
      [],
    );
  });

  it('is not where a file changed, is missing or is left over', () => {
    const made = tree({ 'a.ts': 'x', 'b.ts': 'y' });
    const committed = tree({ 'a.ts': 'x\n', 'c.ts': 'z' });
    assert.deepEqual(differencesBetween(made, committed), [
      'a.ts: out of date',
      'b.ts: missing',
      'c.ts: nothing makes it any more',
    ]);
  });
});

describe('a folder made equal to what was generated', () => {
  const folder = mkdtempSync(join(tmpdir(), 'regatta-tree-'));
  after(() => rmSync(folder, { recursive: true }));

  it('gets new files, new content, and loses what nothing makes', () => {
    applyTree(tree({ 'deep/a.ts': 'old', 'b.ts': 'same', 'c.ts': 'gone soon' }), folder);
    const before = statSync(join(folder, 'b.ts')).mtimeMs;
    const made = tree({ 'deep/a.ts': 'new', 'b.ts': 'same', 'd.ts': 'added' });
    assert.deepEqual(applyTree(made, folder), ['deep/a.ts', 'd.ts', 'c.ts']);
    assert.deepEqual(differencesBetween(made, readTree(folder)), []);
    assert.equal(statSync(join(folder, 'b.ts')).mtimeMs, before);
  });

  it('is empty where it does not exist', () => assert.equal(readTree(join(folder, 'no such')).size, 0));
});
