/**
 * Writes every board as Grafana reads it.
 *   grafana/write.ts FOLDER
 * `npm run generate` calls it and puts what it wrote to grafana/dashboards.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { boardFiles } from './boards.ts';

const folder = process.argv[2];
if (folder === undefined) {
  console.error('where to? grafana/write.ts FOLDER');
  process.exit(2);
}
mkdirSync(folder, { recursive: true });
for (const [name, text] of boardFiles()) writeFileSync(join(folder, name), text);
