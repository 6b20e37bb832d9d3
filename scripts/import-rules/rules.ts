/** All the rules over a tree of files. */
import { nondeterminismIn } from './determinism.ts';
import { EDGE_RULES, heavyChain } from './edges.ts';
import { parseSource, type Source } from './source.ts';

export interface Violation {
  readonly path: string;
  readonly line: number;
  readonly rule: string;
  readonly message: string;
}

/** Names that say nothing of what a folder owns, and so collect everything. */
const NAMELESS = new Set(['utils', 'helpers', 'common', 'misc', 'types', 'lib']);

/** @param files the text of each source file by its path from the root of the repository */
export function violationsIn(files: ReadonlyMap<string, string>): Violation[] {
  const sources = new Map([...files].map(([path, text]) => [path, parseSource(path, text)]));
  return [...sources.values()].flatMap((source) => violationsOf(source, sources));
}

function violationsOf(source: Source, all: ReadonlyMap<string, Source>): Violation[] {
  const { path } = source;
  const found: Violation[] = [];
  const report = (rule: string, line: number, message: string) => found.push({ path, line, rule, message });

  if (source.syntaxError !== undefined) report('syntax', 1, source.syntaxError);
  for (const folder of path.split('/').slice(0, -1)) {
    if (NAMELESS.has(folder)) report('folder-names', 1, `name the folder "${folder}" for what it owns`);
  }
  for (const imported of source.imports) {
    for (const [rule, complaint] of Object.entries(EDGE_RULES)) {
      const message = complaint(source, imported);
      if (message !== undefined) report(rule, imported.line, message);
    }
  }
  const chain = heavyChain(source, all);
  if (chain !== undefined) report('light-workers', 1, `a worker loads, by way of others: ${chain.join(' → ')}`);
  for (const { line, message } of nondeterminismIn(source)) report('determinism', line, message);
  return found;
}
