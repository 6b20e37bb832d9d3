import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readCpuQuota, readThrottledMs } from './quota.ts';
import { files, type Tree, v1, v2 } from './testing/fixtures.ts';

const quota = (tree: Tree) => readCpuQuota(files(tree));
const cfs = (folder: string, quotaUs: number | string, periodUs: number | string = 100_000): Tree => ({
  [`/sys/fs/cgroup/cpu${folder}/cpu.cfs_quota_us`]: `${quotaUs}\n`,
  [`/sys/fs/cgroup/cpu${folder}/cpu.cfs_period_us`]: `${periodUs}\n`,
});

describe('the CPU quota', () => {
  it('is cpu.max of the group under version 2', () => {
    const tree = { ...v2('/box'), '/sys/fs/cgroup/box/cpu.max': '25000 100000\n' };
    assert.deepEqual(quota(tree), { cores: 0.25, group: '/sys/fs/cgroup/box' });
  });

  it('is quota over period under version 1', () => {
    assert.deepEqual(quota({ ...v1('/box'), ...cfs('/box', 125_000, 50_000) }), {
      cores: 2.5,
      group: '/sys/fs/cgroup/cpu/box',
    });
  });

  it('is the least of nested groups, whichever it is', () => {
    const pod = '/sys/fs/cgroup/pod/cpu.max';
    const container = '/sys/fs/cgroup/pod/container/cpu.max';
    const outer = { ...v2('/pod/container'), [pod]: '50000 100000', [container]: '200000 100000' };
    assert.deepEqual(quota(outer), { cores: 0.5, group: '/sys/fs/cgroup/pod' });
    const inner = { ...v2('/pod/container'), [pod]: '200000 100000', [container]: 'max 100000' };
    assert.deepEqual(quota(inner), { cores: 2, group: '/sys/fs/cgroup/pod' });
    assert.equal(quota({ ...v1('/a/b'), ...cfs('/a', 300_000), ...cfs('/a/b', 100_000) })?.cores, 1);
  });

  it('belongs to the outer of two equal ones, which siblings share', () => {
    assert.equal(
      quota({ ...v1('/a/b'), ...cfs('/a', 100_000), ...cfs('/a/b', 100_000) })?.group,
      '/sys/fs/cgroup/cpu/a',
    );
  });

  it('is that of the mount’s root where the group’s path does not exist below it', () => {
    const v2Container = { ...v2('/docker/abc'), '/sys/fs/cgroup/cpu.max': '150000 100000' };
    assert.equal(quota(v2Container)?.cores, 1.5);
    assert.equal(quota({ ...v1('/docker/abc'), ...cfs('', 50_000) })?.cores, 0.5);
  });

  it('is none where the kernel says so', () => {
    assert.equal(quota({ ...v2('/'), '/sys/fs/cgroup/cpu.max': 'max 100000\n' }), undefined);
    assert.equal(quota({ ...v1('/'), ...cfs('', -1) }), undefined);
  });

  it('is none where there are no control groups at all', () => {
    assert.equal(quota({}), undefined);
  });

  it('is none where the files are malformed', () => {
    for (const text of ['50000', '50000 0', '0 100000', '1e3 -1', '-5 100000']) {
      assert.equal(quota({ ...v2('/'), '/sys/fs/cgroup/cpu.max': text }), undefined, JSON.stringify(text));
    }
    for (const text of ['', '0', '-5', 'max', 'much more', '50000 100000']) {
      assert.equal(quota({ ...v1('/'), ...cfs('', text) }), undefined, JSON.stringify(text));
      assert.equal(quota({ ...v1('/'), ...cfs('', 50_000, text) }), undefined, JSON.stringify(text));
    }
  });
});

describe('throttled time', () => {
  it('is read in microseconds under version 2, over all the groups', () => {
    const tree = {
      ...v2('/a'),
      '/sys/fs/cgroup/a/cpu.stat': 'usage_usec 9\nnr_throttled 3\nthrottled_usec 1500\n',
      '/sys/fs/cgroup/cpu.stat': 'usage_usec 9\nthrottled_usec 500\n',
    };
    assert.equal(readThrottledMs(files(tree)), 2);
  });

  it('is read in nanoseconds under version 1', () => {
    const tree = {
      ...v1('/'),
      '/sys/fs/cgroup/cpu/cpu.stat': 'nr_periods 5\nnr_throttled 2\nthrottled_time 7500000\n',
    };
    assert.equal(readThrottledMs(files(tree)), 7.5);
  });

  it('is 0 where nothing tells', () => {
    assert.equal(readThrottledMs(files({})), 0);
    assert.equal(readThrottledMs(files({ ...v2('/'), '/sys/fs/cgroup/cpu.stat': 'usage_usec 9\n' })), 0);
  });
});
