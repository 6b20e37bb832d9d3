import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { groupsOf, readCount, readField } from './cgroup.ts';
import { files } from './testing/fixtures.ts';

const paths = (tree: Record<string, string>): string[] => groupsOf('cpu', files(tree)).map((group) => group.path);

describe('the groups of a process', () => {
  it('are its own first, then each that holds it, up to the mount', () => {
    const tree = {
      '/proc/self/cgroup': '0::/kube/pod/container\n',
      '/proc/self/mountinfo': '31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n',
    };
    assert.deepEqual(paths(tree), [
      '/sys/fs/cgroup/kube/pod/container',
      '/sys/fs/cgroup/kube/pod',
      '/sys/fs/cgroup/kube',
      '/sys/fs/cgroup',
    ]);
  });

  it('are looked for in the version 1 hierarchy that has the controller, also where it has several', () => {
    const tree = {
      '/proc/self/cgroup': '9:memory:/m\n4:cpu,cpuacct:/a\n1:name=systemd:/s\n',
      '/proc/self/mountinfo': [
        '32 31 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
        '33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct',
      ].join('\n'),
    };
    assert.deepEqual(paths(tree), ['/sys/fs/cgroup/cpu,cpuacct/a', '/sys/fs/cgroup/cpu,cpuacct']);
  });

  it('are taken from both versions on a hybrid machine', () => {
    const tree = {
      '/proc/self/cgroup': '1:cpu:/\n0::/user\n',
      '/proc/self/mountinfo':
        '32 31 0:29 / /cg/cpu rw - cgroup cgroup rw,cpu\n41 31 0:38 / /cg/unified rw - cgroup2 cgroup2 rw\n',
    };
    assert.deepEqual(paths(tree), ['/cg/cpu', '/cg/unified/user', '/cg/unified']);
  });

  it('begin below the folder that is mounted, where a container sees the host’s path', () => {
    const tree = {
      '/proc/self/cgroup': '4:cpu:/docker/abc/nested\n',
      '/proc/self/mountinfo': '32 31 0:29 /docker/abc /cg/cpu rw - cgroup cgroup rw,cpu\n',
    };
    assert.deepEqual(paths(tree), ['/cg/cpu/nested', '/cg/cpu']);
  });

  it('are not those of another container whose folder is mounted too', () => {
    const tree = {
      '/proc/self/cgroup': '0::/docker/mine\n',
      '/proc/self/mountinfo':
        '32 31 0:29 /docker/other /other rw - cgroup2 c rw\n33 31 0:29 /docker/mine /cg rw - cgroup2 c rw\n',
    };
    assert.deepEqual(paths(tree), ['/cg']);
  });

  it('are only the mount’s root for a process outside its namespace', () => {
    const tree = {
      '/proc/self/cgroup': '0::/../other\n',
      '/proc/self/mountinfo': '32 31 0:29 / /cg rw - cgroup2 c rw\n',
    };
    assert.deepEqual(paths(tree), ['/cg']);
  });

  it('are those of the upper of two mounts on one place', () => {
    const tree = {
      '/proc/self/cgroup': '4:cpu:/a\n',
      '/proc/self/mountinfo': '48 47 0:29 / /cg rw - cgroup c rw,cpu\n63 48 0:29 /a /cg rw - cgroup c rw,cpu\n',
    };
    assert.deepEqual(paths(tree), ['/cg']);
  });

  it('are found below a mount point with a blank in its name', () => {
    const tree = {
      '/proc/self/cgroup': '0::/\n',
      '/proc/self/mountinfo': '32 31 0:29 / /my\\040cg rw - cgroup2 c rw\n',
    };
    assert.deepEqual(paths(tree), ['/my cg']);
  });

  it('are none where the files are missing or make no sense', () => {
    assert.deepEqual(paths({}), []);
    const noise = 'zz\n::\n0:\n - \n1 2\n';
    assert.deepEqual(paths({ '/proc/self/cgroup': noise, '/proc/self/mountinfo': noise }), []);
    assert.deepEqual(paths({ '/proc/self/cgroup': '0::/a', '/proc/self/mountinfo': noise }), []);
  });
});

describe('a number in a control file', () => {
  it('is undefined where the kernel means none, or where it is malformed', () => {
    for (const text of [undefined, '', 'max', '-1', '1.5', '12 34', 'NaN', '0x10']) {
      assert.equal(readCount(text), undefined);
    }
    assert.equal(readCount('100000\n'), 100_000);
  });

  it('is found by its whole key', () => {
    const stat = 'nr_throttled_more 1\nnr_throttled 7\n';
    assert.equal(readField(stat, 'nr_throttled'), 7);
    assert.equal(readField(stat, 'throttled'), undefined);
    assert.equal(readField(undefined, 'nr_throttled'), undefined);
  });
});
