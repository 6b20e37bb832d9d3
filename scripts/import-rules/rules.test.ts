import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { violationsIn } from './rules.ts';

/** The rules broken by one file, or by several. */
const broken = (path: string, text: string, others: Record<string, string> = {}): string[] =>
  violationsIn(new Map(Object.entries({ [path]: text, ...others }))).map((violation) => violation.rule);

const KERNEL = 'packages/kernel/src/a.ts';
const SCHEDULER = 'packages/scheduler/src/a.ts';
const WORKLOADS = 'packages/workloads/src/a.ts';
const COORDINATOR = 'services/coordinator/src/engine/a.ts';
const AGENT = 'services/node-agent/src/hosts/a.ts';
const WORKER = 'services/node-agent/src/worker/a.ts';

const allowed = (path: string, text: string) => assert.deepEqual(broken(path, text), [], `${path}: ${text}`);
const refused = (path: string, text: string, rule: string) =>
  assert.deepEqual(broken(path, text), [rule], `${path}: ${text}`);

describe('the ways to import', () => {
  it('are all seen', () => {
    for (const text of [
      "import 'node:fs'",
      "import fs from 'node:fs'",
      "import type { Stats } from 'node:fs'",
      "import { type Stats } from 'node:fs'",
      "export { existsSync } from 'node:fs'",
      "export * from 'node:fs'",
      "export type { Stats } from 'node:fs'",
      "type S = import('node:fs').Stats",
      "const fs = import('node:fs')",
      'const fs = import(`node:fs`)',
      "const fs = require('node:fs')",
    ]) {
      refused(KERNEL, text, 'package-edges');
    }
  });

  it('are not seen in comments, strings and properties', () => {
    for (const text of [
      "// import 'node:fs'",
      "/* import fs from 'node:fs' */",
      'const text = "import fs from \'node:fs\'"',
      "const text = `import fs from 'node:fs'`",
      "loader.require('node:fs')",
    ]) {
      allowed(KERNEL, text);
    }
  });

  it('are named with their line', () => {
    const [violation] = violationsIn(new Map([[KERNEL, "// one\n\nimport 'node:fs';\n"]]));
    assert.equal(violation?.line, 3);
  });
});

describe('a file that does not parse', () => {
  it('is reported, not passed over', () => refused(KERNEL, 'import from from', 'syntax'));
});

describe('kernel', () => {
  it('imports nothing', () => {
    allowed(KERNEL, "import './b.ts'");
    for (const name of ['node:fs', 'fs', 'pino', '@regatta/scheduler'])
      refused(KERNEL, `import '${name}'`, 'package-edges');
  });

  it('may be tested with what tests need', () => {
    const text = "import 'node:test'; import 'node:assert/strict'; import 'fast-check'";
    allowed('packages/kernel/src/a.test.ts', text);
    refused('packages/kernel/src/a.test.ts', "import 'pino'", 'package-edges');
    refused('packages/kernel/src/a.test.ts', "import '@regatta/scheduler'", 'package-edges');
  });
});

describe('the other packages', () => {
  it('import what their row says', () => {
    allowed(SCHEDULER, "import '@regatta/kernel'");
    allowed('packages/simulator/src/a.ts', "import '@regatta/kernel'; import '@regatta/scheduler'");
    allowed(WORKLOADS, "import '@regatta/kernel'; import 'node:v8'");
  });

  it('import nothing else', () => {
    for (const name of ['node:fs', '@regatta/workloads', '@regatta/proto/node', '@grpc/grpc-js']) {
      refused(SCHEDULER, `import '${name}'`, 'package-edges');
      refused('packages/simulator/src/a.ts', `import '${name}'`, 'package-edges');
    }
    refused(WORKLOADS, "import '@regatta/scheduler'", 'package-edges');
    refused(WORKLOADS, "import 'piscina'", 'package-edges');
  });

  it('need a row', () => refused('packages/new/src/a.ts', "import '@regatta/kernel'", 'package-edges'));
});

describe('services', () => {
  it('import packages and the world', () => {
    allowed(COORDINATOR, "import '@regatta/scheduler'; import 'pino'; import 'node:fs'; import '../agents/b.ts'");
  });

  it('never import each other', () => {
    refused(AGENT, "import '@regatta/coordinator'", 'services-apart');
    refused(COORDINATOR, "import type { X } from '@regatta/node-agent'", 'services-apart');
    const byPath = broken(AGENT, "import '../../../coordinator/src/engine/a.ts'");
    assert.deepEqual(byPath, ['services-apart', 'no-deep-imports']);
  });
});

describe('worker/', () => {
  it('imports no gRPC, no NATS and no wire types', () => {
    allowed(WORKER, "import 'piscina'; import '@regatta/workloads'; import '../hosts/a.ts'");
    for (const name of ['@grpc/grpc-js', 'grpc-health-check', 'nats', '@nats-io/jetstream']) {
      refused(WORKER, `import '${name}'`, 'light-workers');
      allowed(AGENT, `import '${name}'`);
    }
    assert.deepEqual(broken(WORKER, "import '@regatta/proto/node'"), ['light-workers', 'wire-types']);
  });

  it('does not load them by way of others either', () => {
    const others = { [AGENT]: "import './b.ts'", 'services/node-agent/src/hosts/b.ts': "import '@grpc/grpc-js'" };
    assert.deepEqual(broken(WORKER, "import '../hosts/a.ts'", others), ['light-workers']);
    assert.deepEqual(broken(WORKER, "import type { A } from '../hosts/a.ts'", others), []);
  });

  it('may have files that import in a circle', () => {
    assert.deepEqual(broken(WORKER, "import '../hosts/a.ts'", { [AGENT]: "import '../worker/a.ts'" }), []);
  });
});

describe('wire types', () => {
  const text = "import { Hello } from '@regatta/proto/node'";

  it('stop at codecs and the holders of a gRPC end', () => {
    allowed('services/coordinator/src/agents/codec.ts', text);
    allowed('services/node-agent/src/link/link.ts', text);
    allowed('services/coordinator/src/cli/client.ts', text);
    refused(COORDINATOR, text, 'wire-types');
    refused(AGENT, "import type { Hello } from '@regatta/proto/node'", 'wire-types');
    refused('services/coordinator/src/agents/not-codec.ts', text, 'wire-types');
  });

  it('are not what tells the version of the protocol', () => {
    allowed(COORDINATOR, "import { protocol } from '@regatta/proto/version'");
  });

  it('are free for tests, which play the other end', () =>
    allowed('services/node-agent/src/link/refusal.test.ts', text));
});

describe('tests', () => {
  it('are imported by no product code', () => {
    refused(COORDINATOR, "import '../testing/clock.ts'", 'no-test-imports');
    refused(COORDINATOR, "import './b.test.ts'", 'no-test-imports');
    assert.deepEqual(broken('scripts/a.ts', "import '../test/bench/main.ts'"), ['no-test-imports', 'no-deep-imports']);
  });

  it('import what tests share', () => {
    allowed('packages/scheduler/src/a.test.ts', "import './testing/world.ts'");
    allowed('packages/scheduler/src/testing/world.ts', "import 'node:assert'; export const now = Date.now()");
  });

  it('that cross packages may reach into services, which export nothing', () => {
    allowed('test/integration/a.test.ts', "import '../../services/coordinator/src/engine/a.ts'");
    refused('test/integration/a.test.ts', "import '../../packages/kernel/src/heap.ts'", 'no-deep-imports');
  });
});

describe('other packages’ insides', () => {
  it('are not imported by name or by path', () => {
    refused(COORDINATOR, "import '@regatta/kernel/src/heap.ts'", 'no-deep-imports');
    refused(COORDINATOR, "import '../../../../packages/kernel/src/heap.ts'", 'no-deep-imports');
    refused(SCHEDULER, "import '../../kernel/src/heap.ts'", 'no-deep-imports');
    allowed(SCHEDULER, "import '../src/b.ts'");
  });
});

describe('folders', () => {
  it('are named for what they own', () => {
    for (const name of ['utils', 'helpers', 'common', 'misc', 'types', 'lib']) {
      refused(`services/coordinator/src/${name}/a.ts`, '', 'folder-names');
    }
    allowed('services/coordinator/src/common.ts', '');
  });
});

describe('the scheduler and the simulator', () => {
  const pure = ['packages/scheduler/src/a.ts', 'packages/simulator/src/deep/a.ts'];
  const forbidden = [
    'const now = Date.now()',
    'const then = new Date()',
    'let at: Date',
    'const { Date: D } = globalThis as never',
    'const x = Math.random()',
    'const now = performance.now()',
    'setTimeout(() => {}, 1)',
    'setInterval(() => {}, 1)',
    'setImmediate(() => {})',
    'queueMicrotask(f)',
    'let later: Promise<void>',
    'Promise.resolve()',
    'const f = async () => {}',
    'async function f() {}',
    'class A { async f() {} }',
    'await f()',
    'for await (const x of y) {}',
    "const a = import('./b.ts')",
    'const x = Math.sin(1)',
    'const x = Math.exp(1)',
    'const x = Math.log(2)',
    'const x = Math.pow(2, n)',
    'const x = Math.hypot(1, 2)',
    'const { sin } = Math',
    'const x = Math[name](2)',
    'const x = 2 ** n',
    'let x = 2; x **= 2',
    'const x = { Date }',
    'names.sort((a, b) => a.localeCompare(b))',
    'const x = (1).toLocaleString()',
    'const f = new Intl.NumberFormat()',
    'Atomics.wait(a, 0, 0)',
    'new WeakRef(o)',
    'new FinalizationRegistry(f)',
  ];

  it('have no clock, chance, timers, promises or inexact mathematics', () => {
    for (const path of pure) {
      for (const text of forbidden) {
        assert.deepEqual([...new Set(broken(path, text))], ['determinism'], `${path}: ${text}`);
      }
    }
  });

  it('may say what only looks like them', () => {
    for (const text of [
      '// Date.now(), Math.random(), async',
      "const text = 'await Math.random() ** Date.now()'",
      'const x = Math.floor(Math.sqrt(2)) + Math.PI',
      'const bits = 2 ** 53 - 1',
      'interface Row { Date: string; Math: number }',
      'const row = { Date: 1, Promise: 2 }; row.Date',
      'const limits = { setTimeoutMsMax: 1 }',
    ]) {
      allowed(SCHEDULER, text);
    }
  });

  it('are alone in that: others may', () => {
    for (const text of forbidden) {
      assert.deepEqual(broken(COORDINATOR, text), [], text);
      assert.deepEqual(broken('packages/scheduler/src/a.test.ts', text), [], text);
    }
  });
});
