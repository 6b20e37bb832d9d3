/** Versions of programs, as far as they say whether two fit. */

/** Parts of "1.2.3"; what is missing, or no number, counts as 0. */
const partsOf = (version: string): readonly [number, number, number] => {
  const [, major, minor, patch] = /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(version) ?? [];
  return [Number(major ?? 0), Number(minor ?? 0), Number(patch ?? 0)];
};

/** @returns whether a version is the other one, another only by its patch, or one that may not fit */
export function compareVersions(a: string, b: string): 'same' | 'patch' | 'other' {
  if (a === b) return 'same';
  const [[majorA, minorA], [majorB, minorB]] = [partsOf(a), partsOf(b)];
  return majorA === majorB && minorA === minorB ? 'patch' : 'other';
}

/** @param least as MAJOR.MINOR */
export function isAtLeast(version: string, least: string): boolean {
  const [[major, minor], [leastMajor, leastMinor]] = [partsOf(version), partsOf(least)];
  return major === leastMajor ? minor >= leastMinor : major > leastMajor;
}
