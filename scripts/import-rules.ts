/** Fails where the repository's files import what they should not. The rules and their reasons: import-rules/. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { violationsIn } from './import-rules/rules.ts';
import { root } from './tools.ts';

const OURS = '{packages,proto,services,test,scripts,deploy,grafana}/**/*.{ts,mts,js,mjs,cjs}';

const paths = globSync(OURS, { cwd: root, exclude: ['**/node_modules/**', 'proto/gen/**'] })
  .map((path) => path.replaceAll('\\', '/'))
  .sort();
const violations = violationsIn(new Map(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')])));
for (const { path, line, rule, message } of violations) console.error(`${path}:${line}: ${rule}: ${message}`);
console.error(`${violations.length} broken import rules in ${paths.length} files`);
// A wrong pattern would find nothing wrong anywhere.
process.exitCode = violations.length > 0 || paths.length === 0 ? 1 : 0;
