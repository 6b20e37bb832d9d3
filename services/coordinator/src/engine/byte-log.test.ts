import assert from 'node:assert/strict';
import fs, { fstatSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { ByteLog, Shelf } from './byte-log.ts';

const BLOCK_BYTES_MAX = 65_536;
/** With less in memory a log does not write by itself. */
const WRITE_BYTES_MIN = 262_144;
let directory: string;
let failures: Error[];
const onFailed = (error: Error): void => void failures.push(error);

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'byte-log-'));
  failures = [];
});
afterEach(() => {
  mock.restoreAll();
  syncBuiltinESMExports();
  rmSync(directory, { recursive: true, force: true });
});

const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
type Told = (error: Error | null, written: number) => void;
let tell: Told | undefined;

/** Writes in the background end when and as the test says. */
function holdWrites(): void {
  mock.method(fs, 'writev', (_fd: number, _buffers: unknown, _at: number, told: Told) => {
    tell = told;
  });
  syncBuiltinESMExports();
}

/** Bytes that tell where they come from: a wrong block or a wrong offset shows. */
function marked(length: number, serial: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (serial * 31 + i * 7 + (i >> 8)) & 0xff;
  return bytes;
}

/** A log beside what it should hold: each append at the place that it was given. */
class Checked {
  readonly log: ByteLog;
  readonly appended: { readonly at: number; readonly bytes: Uint8Array }[] = [];

  constructor(shelf: Shelf) {
    this.log = new ByteLog(shelf, onFailed);
  }

  append(length: number): void {
    const bytes = marked(length, this.appended.length);
    this.appended.push({ at: this.log.size, bytes });
    this.log.append(bytes);
  }

  read({ at, bytes } = this.appended.at(-1)!): void {
    assert.deepEqual(Buffer.compare(this.log.read(at, bytes.byteLength), bytes), 0, `${bytes.byteLength} at ${at}`);
  }

  readAll(): void {
    for (const entry of this.appended) this.read(entry);
  }

  /** As it is, while it is written, and from the file. */
  async readFromEverywhere(): Promise<void> {
    this.readAll();
    for (const giveUpAt = performance.now() + 8_000; this.log.bytesInMemory > 0; await turn()) {
      assert.ok(performance.now() < giveUpAt, 'waited in vain for a write to end');
      this.log.spill();
    }
    this.readAll();
  }
}

/** Descriptors of ours that this process has open, with what the kernel calls their files. */
const openFiles = (): [fd: string, name: string][] =>
  readdirSync('/proc/self/fd')
    .map((fd): [string, string] => [fd, linkOf(fd)])
    .filter(([, name]) => name.startsWith(directory));

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    // The one by which the list was read.
    return '';
  }
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (const giveUpAt = performance.now() + 8_000; !condition(); await turn()) {
    assert.ok(performance.now() < giveUpAt, `waited in vain until ${what}`);
  }
}

describe('whatever is appended to some logs, spilled and read', () => {
  const size = fc.oneof(
    fc.nat(600),
    fc.integer({ min: BLOCK_BYTES_MAX - 2, max: BLOCK_BYTES_MAX + 2 }),
    fc.nat(WRITE_BYTES_MIN + 2),
  );
  const which = fc.nat();
  const steps = fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant('append' as const), which, bytes: size }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('read' as const), which }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('spill' as const), which }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('turn' as const), which }) },
    ),
    { maxLength: 50 },
  );
  const bound = fc.oneof(fc.constant(0), fc.nat(2 * WRITE_BYTES_MIN), fc.constant(Number.POSITIVE_INFINITY));

  it('can be read at once and for ever (B1), within its bound (B2), and the shelf has the sums', async () => {
    await fc.assert(
      fc.asyncProperty(steps, bound, fc.integer({ min: 1, max: 3 }), async (steps, bound, count) => {
        const shelf = new Shelf(directory, bound);
        const all = Array.from({ length: count }, () => new Checked(shelf));
        const logs = all.map(({ log }) => log);
        for (const step of steps) {
          const one = all[step.which % count]!;
          if (step.kind === 'append') one.append(step.bytes);
          else if (step.kind === 'spill') one.log.spill();
          else if (step.kind === 'turn') await turn();
          else if (one.appended.length > 0) one.read(one.appended[step.which % one.appended.length]);
          assert.ok(shelf.memoryBytes <= 2 * bound + count * WRITE_BYTES_MIN, `${shelf.memoryBytes} in memory`);
          assert.equal(shelf.memoryBytes, sum(logs.map(({ bytesInMemory }) => bytesInMemory)));
          assert.equal(shelf.memoryBytes + shelf.diskBytes, sum(logs.map(({ size }) => size)));
        }
        for (const one of all) await one.readFromEverywhere();
        for (const log of logs) log.close();
        assert.deepEqual([shelf.memoryBytes, shelf.diskBytes, failures], [0, 0, []]);
      }),
      { numRuns: 100 },
    );
  });
});

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

describe('while there is room', () => {
  it('a log stays in memory and opens no file', () => {
    const checked = new Checked(new Shelf(directory, 1e6));
    for (let i = 0; i < 10; i++) checked.append(100_000);
    checked.readAll();
    assert.deepEqual([checked.log.bytesInMemory, openFiles()], [1e6, []]);
  });

  it('a log gives back a large buffer itself, not a copy', () => {
    const log = new ByteLog(new Shelf(directory, 1e6), onFailed);
    const large = marked(BLOCK_BYTES_MAX, 1);
    log.append(large);
    assert.equal(log.read(0, BLOCK_BYTES_MAX).buffer, large.buffer);
  });
});

describe('while logs take more memory than they may', () => {
  it('the one that is appended to writes in the background, and small ones do not', async () => {
    const shelf = new Shelf(directory, WRITE_BYTES_MIN);
    const [small, large] = [new Checked(shelf), new Checked(shelf)];
    large.append(WRITE_BYTES_MIN);
    small.append(1_000);
    assert.deepEqual([shelf.diskBytes, openFiles()], [0, []]);
    large.append(1);
    assert.equal(shelf.diskBytes, 0);
    await until(() => shelf.diskBytes > 0, 'the write has ended');
    assert.deepEqual([large.log.bytesInMemory, small.log.bytesInMemory], [0, 1_000]);
    for (const checked of [small, large]) checked.readAll();
  });
});

describe('while a write is under way', () => {
  it('a log reads what is being written and takes more, which goes with the next write', async () => {
    const shelf = new Shelf(directory, WRITE_BYTES_MIN);
    const checked = new Checked(shelf);
    // The last block has room left, but is being written as it is.
    for (let i = 0; i < 27; i++) checked.append(10_000);
    // Over the limit again and again, and yet one write at a time.
    for (let i = 0; i < 20; i++) checked.append(100);
    checked.readAll();
    await until(() => shelf.diskBytes > 0, 'the first write has ended');
    assert.deepEqual([shelf.diskBytes, shelf.memoryBytes], [270_000, 2_000]);
    await checked.readFromEverywhere();
  });

  it('all logs together hold no more than twice what they may, though nothing has a turn to end the write', () => {
    const shelf = new Shelf(directory, WRITE_BYTES_MIN);
    const checked = new Checked(shelf);
    for (let i = 0; i < 200; i++) {
      checked.append(20_000);
      assert.ok(shelf.memoryBytes <= 2 * WRITE_BYTES_MIN, `${shelf.memoryBytes} bytes after ${i + 1} appends`);
    }
    checked.readAll();
  });

  for (const [how, error] of [
    ['succeeds', null],
    ['fails', full],
  ] as const) {
    it(`that then ${how}, a log can be closed: the sums go at once, the file when the write has ended`, () => {
      holdWrites();
      const shelf = new Shelf(directory, 1e6);
      const checked = new Checked(shelf);
      checked.append(500_000);
      checked.log.spill();
      checked.log.close();
      checked.log.close();
      assert.deepEqual([shelf.memoryBytes, shelf.diskBytes, openFiles().length], [0, 0, 1]);
      tell!(error, 500_000);
      assert.deepEqual([shelf.memoryBytes, shelf.diskBytes, openFiles().length], [0, 0, 0]);
      assert.deepEqual(failures, []);
    });
  }
});

describe('while logs take more than twice what they may', () => {
  it('the one that is appended to writes before the append returns', () => {
    const shelf = new Shelf(directory, WRITE_BYTES_MIN);
    const checked = new Checked(shelf);
    checked.append(2 * WRITE_BYTES_MIN + 1);
    assert.deepEqual([shelf.memoryBytes, shelf.diskBytes], [0, 2 * WRITE_BYTES_MIN + 1]);
    checked.readAll();
  });
});

describe('the file of a log', () => {
  it('has no name that a crash could leave behind, is nobody else’s to read, and is gone with the log', () => {
    const checked = new Checked(new Shelf(directory, 0));
    const before = process.umask(0);
    checked.append(WRITE_BYTES_MIN);
    process.umask(before);
    assert.deepEqual(readdirSync(directory), []);
    const [[fd, name]] = openFiles() as [[string, string]];
    assert.match(name, /regatta-[0-9a-f-]+ \(deleted\)$/);
    assert.equal(fstatSync(Number(fd)).mode & 0o777, 0o600);
    checked.log.close();
    assert.deepEqual(openFiles(), []);
  });
});

describe('where the file cannot be made', () => {
  for (const [when, bound] of [
    ['in the background', WRITE_BYTES_MIN],
    ['at once', 0],
  ] as const) {
    it(`${when}, a log says so once and loses nothing that is in memory (B3)`, () => {
      rmSync(directory, { recursive: true });
      const shelf = new Shelf(directory, bound);
      const checked = new Checked(shelf);
      for (let i = 0; i < 30; i++) checked.append(10_000);
      checked.append(BLOCK_BYTES_MAX);
      checked.log.spill();
      assert.equal(failures.length, 1);
      assert.match(failures[0]!.message, /ENOENT/);
      checked.readAll();
      assert.deepEqual([shelf.memoryBytes, shelf.diskBytes], [checked.log.size, 0]);
      checked.log.close();
      assert.deepEqual([shelf.memoryBytes, shelf.diskBytes], [0, 0]);
    });
  }
});

describe('where the disk is full', () => {
  for (const [how, error, written] of [
    ['fails', full, 0],
    ['is short', null, 1_099],
  ] as const) {
    it(`and a write ${how}, a log says so once and loses nothing that is in memory (B3)`, () => {
      holdWrites();
      const shelf = new Shelf(directory, WRITE_BYTES_MIN);
      const checked = new Checked(shelf);
      for (let i = 0; i < 30; i++) checked.append(10_000);
      tell!(error, written);
      tell = undefined;
      for (let i = 0; i < 50; i++) checked.append(10_000);
      checked.log.spill();
      assert.deepEqual([failures.length, tell], [1, undefined]);
      checked.readAll();
      assert.deepEqual([shelf.memoryBytes, shelf.diskBytes], [checked.log.size, 0]);
    });
  }

  it('for what came before a part that was written, the next goes on behind that part', () => {
    holdWrites();
    const shelf = new Shelf(directory, WRITE_BYTES_MIN);
    const checked = new Checked(shelf);
    for (let i = 0; i < 1_000 && shelf.diskBytes === 0; i++) checked.append(10_000);
    assert.ok(shelf.diskBytes > 0, 'nothing was written at once');
    // The part that was not written has room left, and yet is not the end of the log.
    tell!(full, 0);
    for (let i = 0; i < 5; i++) checked.append(10);
    assert.equal(failures.length, 1);
    checked.readAll();
    assert.equal(shelf.memoryBytes + shelf.diskBytes, checked.log.size);
  });

  it('at once and for a write under way, a log says so once and loses nothing that is in memory (B3)', () => {
    holdWrites();
    mock.method(fs, 'writevSync', () => {
      throw full;
    });
    syncBuiltinESMExports();
    const shelf = new Shelf(directory, WRITE_BYTES_MIN);
    const checked = new Checked(shelf);
    for (let i = 0; i < 100; i++) checked.append(10_000);
    tell!(full, 0);
    assert.deepEqual(
      failures.map(({ message }) => message),
      [`${full.message} (in ${directory})`],
    );
    checked.readAll();
    assert.deepEqual([shelf.memoryBytes, shelf.diskBytes], [1_000_000, 0]);
  });

  it('for a part of what is written at once, a log writes the rest in further steps', () => {
    const { writevSync } = fs;
    mock.method(fs, 'writevSync', (fd: number, [bytes]: [Uint8Array], at: number) =>
      writevSync(fd, [bytes.subarray(0, 30_000)], at),
    );
    syncBuiltinESMExports();
    const checked = new Checked(new Shelf(directory, 0));
    checked.append(WRITE_BYTES_MIN);
    assert.equal(checked.log.bytesInMemory, 0);
    checked.readAll();
  });
});
