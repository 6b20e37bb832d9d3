import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, describe, it } from 'node:test';
import { resolveParameters } from '../params.ts';
import { runSerially } from '../serially.ts';
import { fileDigest } from './file-digest.ts';

type Params = Parameters<typeof fileDigest.run>[0];
const paramsOf = (given: Partial<Params>): Params => resolveParameters(fileDigest, given) as Params;

const given = process.env.REGATTA_STATE_DIR;
const directory = mkdtempSync(join(tmpdir(), 'file-digest-'));
process.env.REGATTA_STATE_DIR = join(directory, 'state');
after(() => {
  if (given === undefined) delete process.env.REGATTA_STATE_DIR;
  else process.env.REGATTA_STATE_DIR = given;
  rmSync(directory, { recursive: true });
});

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const written = (name: string, bytes: Uint8Array): string => {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return path;
};

describe('the files of file-digest', () => {
  mkdirSync(join(directory, 'tree', 'b', 'deep'), { recursive: true });
  for (const name of ['c', 'a', 'b/2', 'b/1', 'b/deep/x']) written(join('tree', name), Buffer.from(name));
  symlinkSync(join(directory, 'tree', 'a'), join(directory, 'tree', 'link'));
  symlinkSync(join(directory, 'tree'), join(directory, 'tree', 'circle'));
  const listed = (path: string): string[] => {
    const files = [...fileDigest.inputs!(paramsOf({ path }))];
    assert.equal(fileDigest.tasks(paramsOf({ path })), files.length);
    return files.map((file) => relative(join(directory, 'tree'), file));
  };

  it('are those below a folder, by name, without links', () => {
    assert.deepEqual(listed(join(directory, 'tree')), ['a', 'b/1', 'b/2', 'b/deep/x', 'c']);
  });

  it('may be named one by one, and through a link', () => {
    const tree = join(directory, 'tree');
    assert.deepEqual(listed(` ${tree}/c , ${tree}/b/deep,${tree}/link`), ['c', 'b/deep/x', 'link']);
  });

  it('are refused where there is none, in one line', () => {
    mkdirSync(join(directory, 'empty'));
    const refused = (path: string, message: RegExp): void =>
      assert.throws(() => fileDigest.tasks(paramsOf({ path })), { message });
    refused(join(directory, 'empty'), /^file-digest: there is no file in .*; give another path$/);
    refused(
      join(directory, 'nonesuch'),
      /^file-digest: cannot read .*: ENOENT: no such file or directory; give another/,
    );
  });

  it('are refused where making them would fill a disk', () => {
    assert.throws(() => fileDigest.tasks(paramsOf({ count: 100_000, bytes: 2 ** 30 })), {
      message: /^file-digest: 100000 files of 1073741824 bytes are more than \d+ bytes; give less of count or bytes$/,
    });
  });
});

describe('a task of file-digest', () => {
  it('gives the size and the hash of a file, empty, small or larger than what is read at a time', async () => {
    for (const size of [0, 1, 3_000_001]) {
      const bytes = Buffer.alloc(size, 'regatta');
      const path = written('file', bytes);
      const { results } = await runSerially(fileDigest, { path });
      assert.deepEqual(results, [{ task: 0, value: { file: path, bytes: size, sha256: sha256(bytes) } }]);
    }
  });

  it('makes its file where no path is given, the same in every place', async () => {
    const made = { count: 3, bytes: 100_000 };
    const first = await runSerially(fileDigest, made);
    for (const { value } of first.results) {
      const bytes = readFileSync(join(process.env.REGATTA_STATE_DIR!, 'made', value.file));
      assert.deepEqual([bytes.byteLength, value.bytes, value.sha256], [100_000, 100_000, sha256(bytes)]);
    }
    rmSync(process.env.REGATTA_STATE_DIR!, { recursive: true });
    assert.deepEqual((await runSerially(fileDigest, made)).results, first.results);
    const other = await runSerially(fileDigest, { ...made, seed: 2 });
    assert.equal(new Set([...first.results, ...other.results].map(({ value }) => value.sha256)).size, 6);
  });

  it('fails where its file is not there, and says which', async () => {
    const input = join(directory, 'gone');
    const context = { task: 0, attempt: 1, signal: new AbortController().signal, shared: undefined, input };
    await assert.rejects(Promise.resolve(fileDigest.run(paramsOf({}), context)), {
      code: 'CANNOT_READ',
      message: `file-digest: cannot read ${input}: ENOENT: no such file or directory; every node must see it there`,
    });
  });

  it('stops reading when it is cancelled', async () => {
    const input = written('large', Buffer.alloc(20_000_000));
    const cancel = new AbortController();
    const context = { task: 0, attempt: 1, signal: cancel.signal, shared: undefined, input };
    const running = Promise.resolve(fileDigest.run(paramsOf({}), context));
    cancel.abort();
    await assert.rejects(running, { name: 'AbortError' });
  });
});

describe('a run of file-digest', () => {
  it('gives this checksum for made files, today and on every machine', async () => {
    const { combined } = await runSerially(fileDigest, { count: 3, bytes: 70_001 });
    assert.deepEqual(combined, { files: 3, bytes: 210_003, checksum: 'cb07c994999d765d' });
  });
});
