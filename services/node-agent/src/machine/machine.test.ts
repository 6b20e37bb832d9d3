import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type MachineSource, readMachine, readThrottledMs } from './machine.ts';
import { files, type Tree, v2 } from './testing/fixtures.ts';

const GIB = 2 ** 30;
const BOOT: Tree = { '/proc/sys/kernel/random/boot_id': '99c04c3a-a03d-4748-a0c5-b2cb6334616b\n' };

interface Host extends Partial<Omit<MachineSource, 'readFile' | 'inodeOf'>> {
  readonly tree?: Tree;
  readonly inode?: number;
}

const machineWith = ({ tree = {}, inode, ...rest }: Host) =>
  readMachine({
    hostname: 'box',
    osCores: 8,
    totalMemoryBytes: 16 * GIB,
    ...rest,
    readFile: files(tree),
    inodeOf: () => inode,
  });

const limited = (cores: number): Tree => ({
  ...BOOT,
  ...v2('/'),
  '/sys/fs/cgroup/cpu.max': `${cores * 100_000} 100000\n`,
});

describe('the cores of a machine', () => {
  it('are those of the operating system where there is no quota', () => {
    const { osCores, quotaCores, quotaLimited, cores } = machineWith({ tree: BOOT });
    assert.deepEqual(
      { osCores, quotaCores, quotaLimited, cores },
      { osCores: 8, quotaCores: 8, quotaLimited: false, cores: 8 },
    );
  });

  it('are at least 1, whatever part of a core the quota allows', () => {
    const { quotaCores, quotaLimited, cores } = machineWith({ tree: limited(0.25) });
    assert.deepEqual({ quotaCores, quotaLimited, cores }, { quotaCores: 0.25, quotaLimited: true, cores: 1 });
  });

  it('are the quota’s whole cores', () => {
    const { quotaCores, cores } = machineWith({ tree: limited(2.5) });
    assert.deepEqual({ quotaCores, cores }, { quotaCores: 2.5, cores: 2 });
  });

  it('are not limited by a quota that allows all of them', () => {
    for (const allowed of [8, 64]) {
      const { quotaCores, quotaLimited, cores } = machineWith({ tree: limited(allowed) });
      assert.deepEqual({ quotaCores, quotaLimited, cores }, { quotaCores: 8, quotaLimited: false, cores: 8 });
    }
  });
});

describe('the memory of a machine', () => {
  it('is the lesser of its limit and what there is', () => {
    const memory = (max: string) => machineWith({ tree: { ...v2('/'), '/sys/fs/cgroup/memory.max': max } }).memoryBytes;
    assert.equal(memory(String(GIB)), GIB);
    assert.equal(memory(String(64 * GIB)), 16 * GIB);
    assert.equal(memory('max'), 16 * GIB);
  });
});

describe('the id of a machine', () => {
  const id = (host: Host) => machineWith(host).id;

  it('is the same for containers that share all cores, whatever their host names (M2)', () => {
    assert.equal(id({ tree: BOOT, hostname: 'a' }), id({ tree: BOOT, hostname: 'b' }));
    assert.equal(id({ tree: BOOT, hostname: 'a' }), id({ tree: limited(8), hostname: 'b', inode: 7 }));
  });

  it('is a container’s own where a quota limits it, though every container calls its group "/" (M2)', () => {
    const ids = [id({ tree: BOOT }), id({ tree: limited(2), inode: 7 }), id({ tree: limited(2), inode: 8 })];
    assert.equal(new Set(ids).size, 3);
  });

  it('is the same for two nodes in one limited container (M2)', () => {
    assert.equal(id({ tree: limited(2), inode: 7 }), id({ tree: limited(2), inode: 7 }));
  });

  it('tells limited containers apart by host name where the group has no inode number', () => {
    assert.notEqual(id({ tree: limited(2), hostname: 'a' }), id({ tree: limited(2), hostname: 'b' }));
  });

  it('comes from the host name where there is no boot id', () => {
    assert.equal(id({ hostname: 'a' }), id({ hostname: 'a' }));
    assert.notEqual(id({ hostname: 'a' }), id({ hostname: 'b' }));
  });

  it('is 12 hexadecimal digits', () => {
    assert.match(id({ tree: BOOT }), /^[0-9a-f]{12}$/);
  });
});

describe('this very machine', () => {
  it('can be read', () => {
    const machine = readMachine();
    assert.equal(machine.id, readMachine().id);
    assert.ok(machine.cores >= 1 && machine.cores <= machine.osCores);
    assert.ok(machine.memoryBytes > 0);
    assert.ok(readThrottledMs() >= 0);
  });
});
