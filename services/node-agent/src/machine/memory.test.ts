import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readMemoryLimit } from './memory.ts';
import { files, type Tree, v1, v2 } from './testing/fixtures.ts';

const limit = (tree: Tree) => readMemoryLimit(files(tree));

describe('the memory limit', () => {
  it('is memory.max under version 2', () => {
    assert.equal(limit({ ...v2('/box'), '/sys/fs/cgroup/box/memory.max': '268435456\n' }), 268_435_456);
  });

  it('is memory.limit_in_bytes under version 1', () => {
    assert.equal(limit({ ...v1('/box'), '/sys/fs/cgroup/memory/box/memory.limit_in_bytes': '4096' }), 4096);
  });

  it('is the least of nested groups', () => {
    const tree = {
      ...v2('/a/b'),
      '/sys/fs/cgroup/a/b/memory.max': '900',
      '/sys/fs/cgroup/a/memory.max': '500',
      '/sys/fs/cgroup/memory.max': 'max',
    };
    assert.equal(limit(tree), 500);
  });

  it('is none where the kernel says so, in either way of saying it', () => {
    assert.equal(limit({ ...v2('/'), '/sys/fs/cgroup/memory.max': 'max\n' }), undefined);
    const endless = { '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n' };
    assert.equal(limit({ ...v1('/'), ...endless }), undefined);
  });

  it('is none where files are missing or malformed', () => {
    assert.equal(limit({}), undefined);
    for (const text of ['', '0', 'lots', '-1']) {
      assert.equal(limit({ ...v2('/'), '/sys/fs/cgroup/memory.max': text }), undefined);
    }
  });
});
