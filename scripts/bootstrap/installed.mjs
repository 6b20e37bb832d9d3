// Whether node_modules holds what package-lock.json says. npm writes what it installed into a lockfile of its own, last
// of all: an install that broke off leaves none, and one that somebody ran by hand counts.
import { readFileSync } from 'node:fs';

/** @param {string} root the checkout, ending in a slash */
export function isInstalled(root) {
  const wanted = packagesIn(`${root}package-lock.json`);
  const held = packagesIn(`${root}node_modules/.package-lock.json`);
  if (wanted === undefined) throw new Error(`${root}package-lock.json cannot be read; is the checkout whole?`);
  return held !== undefined && Object.entries(wanted).every(([path, entry]) => isHeld(path, entry, held[path]));
}

function isHeld(path, wanted, held) {
  // The root and the workspaces themselves are in the checkout.
  if (!path.includes('node_modules/')) return true;
  // For another platform.
  if (held === undefined) return wanted.optional === true || wanted.devOptional === true;
  return held.version === wanted.version && held.integrity === wanted.integrity && held.link === wanted.link;
}

function packagesIn(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages;
  } catch {
    return undefined;
  }
}
