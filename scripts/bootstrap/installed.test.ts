import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
// @ts-expect-error plain JavaScript, which has no types
import { isInstalled } from './installed.mjs';

const root = `${mkdtempSync(join(tmpdir(), 'regatta-installed-'))}/`;
after(() => rmSync(root, { recursive: true }));
mkdirSync(`${root}node_modules`);

const wanted = {
  '': { name: 'regatta' },
  'packages/kernel': { version: '0.1.0' },
  'node_modules/@regatta/kernel': { resolved: 'packages/kernel', link: true },
  'node_modules/pino': { version: '1.0.0', integrity: 'sha512-a' },
  'node_modules/tool-darwin-arm64': { version: '1.0.0', optional: true },
};
const { '': _, 'packages/kernel': __, 'node_modules/tool-darwin-arm64': ___, ...held } = wanted;

function installedWith(packages: object): boolean {
  writeFileSync(`${root}package-lock.json`, JSON.stringify({ packages: wanted }));
  writeFileSync(`${root}node_modules/.package-lock.json`, JSON.stringify({ packages }));
  return isInstalled(root);
}

describe('an installation', () => {
  it('is complete without builds for other platforms', () => assert.equal(installedWith(held), true));

  it('is complete with more than what is locked', () => {
    assert.equal(installedWith({ ...held, 'node_modules/more': { version: '1.0.0' } }), true);
  });

  it('is not where a package is missing or another one', () => {
    const { 'node_modules/pino': pino, ...without } = held;
    assert.equal(installedWith(without), false);
    assert.equal(installedWith({ ...held, 'node_modules/pino': { ...pino, version: '1.0.1' } }), false);
    assert.equal(installedWith({ ...held, 'node_modules/pino': { ...pino, integrity: 'sha512-b' } }), false);
  });

  it('is not where npm did not come to its end', () => {
    installedWith(held);
    rmSync(`${root}node_modules/.package-lock.json`);
    assert.equal(isInstalled(root), false);
  });

  it('cannot be judged without a lockfile', () => {
    rmSync(`${root}package-lock.json`);
    assert.throws(() => isInstalled(root), /package-lock\.json cannot be read/);
  });
});
