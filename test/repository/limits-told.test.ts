/** Every table of limits is told whole by `regatta status --verbose`: a bound that nobody sees explains no standstill. */
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { views as commandLimitViews } from '../../services/coordinator/src/cli/limits.ts';
import { coordinatorLimitViews } from '../../services/coordinator/src/control/limit-views.ts';
import { limitViews as nodeLimitViews } from '../../services/node-agent/src/limits.ts';

const repository = dirname(dirname(import.meta.dirname));

const namesOf = (views: readonly { readonly name: string }[]): Set<string> => new Set(views.map(({ name }) => name));
const TOLD = {
  coordinator: namesOf(coordinatorLimitViews(1)),
  node: namesOf(nodeLimitViews({ tasksMax: 1, memoryBytesMax: 1 })),
  'command line': namesOf(commandLimitViews()),
} as const;

/** Who tells the table of a file, and in which group. Tables share names, so that a bare one proves nothing. */
const TELLERS: Readonly<Record<string, readonly [group: string, ...by: (keyof typeof TOLD)[]]>> = {
  'packages/access/src/limits.ts': ['access.', 'coordinator', 'node'],
  'packages/broker/src/limits.ts': ['broker.', 'coordinator', 'node'],
  'packages/observe/src/limits.ts': ['metrics.', 'coordinator', 'node'],
  'packages/scheduler/src/limits.ts': ['scheduler.', 'coordinator'],
  'proto/limits.ts': ['proto.', 'coordinator', 'node'],
  'services/coordinator/src/access/limits.ts': ['access.', 'coordinator'],
  'services/coordinator/src/cli/limits.ts': ['', 'command line'],
  'services/coordinator/src/doctor/limits.ts': ['doctor.', 'command line'],
  'services/coordinator/src/embedded/limits.ts': ['embedded.', 'command line'],
  'services/coordinator/src/engine/limits.ts': ['', 'coordinator'],
  'services/coordinator/src/fanout/limits.ts': ['fanout.', 'coordinator'],
  'services/coordinator/src/journal/limits.ts': ['journal.', 'coordinator'],
  'services/coordinator/src/observe/limits.ts': ['metrics.', 'coordinator'],
  'services/coordinator/src/politeness/limits.ts': ['politeness.', 'coordinator'],
  'services/node-agent/src/fanout/limits.ts': ['fanout.', 'node'],
  'services/node-agent/src/limits.ts': ['', 'node'],
  'services/node-agent/src/politeness/limits.ts': ['politeness.', 'node'],
  'services/node-agent/src/worker/limits.ts': ['host.', 'node'],
};

/** What tables are made of, and how they are drawn. */
const NO_TABLES = new Set(['packages/kernel/src/limits.ts', 'services/coordinator/src/cli/render/limits.ts']);

const paths = globSync('{packages,proto,services}/**/limits.ts', {
  cwd: repository,
  exclude: (path) => path.includes('node_modules'),
});

/** Of all tables that a file exports. */
async function keysOf(path: string): Promise<string[]> {
  const exported: Record<string, unknown> = await import(pathToFileURL(join(repository, path)).href);
  const tables = Object.values(exported).filter((value) => typeof value === 'object' && value !== null);
  return tables.flatMap((table) => Object.keys(table as object));
}

describe('regatta status --verbose', () => {
  it('is looked for in all the tables there are', () => {
    assert.deepEqual(paths.filter((path) => !NO_TABLES.has(path)).sort(), Object.keys(TELLERS).sort());
  });

  for (const [path, [group, ...tellers]] of Object.entries(TELLERS)) {
    it(`tells every limit of ${path}`, async () => {
      const keys = await keysOf(path);
      assert.ok(keys.length > 0, `${path} exports no table`);
      for (const teller of tellers) {
        const missing = keys.filter((key) => !TOLD[teller].has(group + key));
        assert.deepEqual(missing, [], `the ${teller} does not tell them as ${group || 'its own: '}...`);
      }
    });
  }
});
