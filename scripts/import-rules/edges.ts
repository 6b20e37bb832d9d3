/**
 * Who may import whom: section 3 of the design as tables, and one function for each rule.
 * A rule takes a file and one of its imports, and says in a line what is wrong, or nothing.
 */
import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import { type Import, isTestPath, resolveRelative, type Source, unitOf } from './source.ts';

export type EdgeRule = (source: Source, imported: Import) => string | undefined;

interface Allowed {
  /** Names after `@regatta/`. */
  readonly ours: readonly string[];
  /** Whether it may import node:*. */
  readonly node: boolean;
  /** Of npm. */
  readonly npm?: readonly string[];
}

/** A package may import what its row says and nothing else. Every package needs a row. */
const PACKAGES: Readonly<Record<string, Allowed>> = {
  'packages/kernel': { ours: [], node: false },
  'packages/scheduler': { ours: ['kernel'], node: false },
  'packages/simulator': { ours: ['scheduler', 'kernel'], node: false },
  'packages/workloads': { ours: ['kernel'], node: true, npm: ['undici', 'pg'] },
  'packages/access': { ours: ['kernel'], node: true },
  'packages/observe': { ours: ['access', 'kernel'], node: true, npm: ['prom-client'] },
  'packages/broker': { ours: ['access', 'kernel'], node: true, npm: ['nats'] },
};

/** Besides codecs, who may see generated types: they hold an end of a gRPC service, whose methods are typed by them. */
const WIRE_HOLDERS: Readonly<Record<string, string>> = {
  'services/node-agent/src/link/link.ts': 'the client end of the agent link',
  'services/node-agent/src/link/channel.ts': 'dials the agent link',
  'services/coordinator/src/server.ts':
    'the gRPC server, to which the services are added by their generated definitions',
  'services/coordinator/src/agents/server.ts': 'the server end of the agent link',
  'services/coordinator/src/agents/port.ts': 'writes the frames of one such link',
  'services/coordinator/src/control/server.ts': 'the server end of the control API',
  'services/coordinator/src/cli/client.ts': 'the client end of the control API',
  'services/coordinator/src/cli/channel.ts': 'dials the control API',
};

/** In the same package, but no wire types: versions of the protocol, bounds, and how messages get through NATS. */
const NO_WIRE_TYPES = new Set([
  '@regatta/proto/version',
  '@regatta/proto/limits',
  '@regatta/proto/queue-names',
  '@regatta/proto/queue-outbox',
  '@regatta/proto/queue-intake',
]);

/** What must not be loaded beside user code. */
const NOT_IN_WORKERS = /^(@grpc\/.*|grpc-.*|nats|@nats-io\/.*|@regatta\/proto(\/.*)?)$/;

/** What any test may import, wherever it is. */
const TEST_TOOLS = new Set(['fast-check']);

const OURS = /^@regatta\/([^/]+)(?:\/(.*))?$/;

const isRelative = (specifier: string): boolean => specifier.startsWith('.') || specifier.startsWith('/');

/** A package imports only what its row allows. */
const packageImportsItsRow: EdgeRule = ({ unit, isTest }, { specifier }) => {
  if (!unit.startsWith('packages/') || isRelative(specifier)) return undefined;
  const allowed = PACKAGES[unit];
  if (allowed === undefined) return `${unit} has no row in scripts/import-rules/edges.ts: say there what it may import`;
  const name = OURS.exec(specifier)?.[1];
  if (name !== undefined) {
    return allowed.ours.includes(name) ? undefined : `${unit} may import ${listOf(allowed)}, not ${specifier}`;
  }
  if (isTest && (isBuiltin(specifier) || TEST_TOOLS.has(specifier))) return undefined;
  if (allowed.npm?.includes(specifier)) return undefined;
  return allowed.node && isBuiltin(specifier) ? undefined : `${unit} may import ${listOf(allowed)}, not ${specifier}`;
};

const servicesStayApart: EdgeRule = ({ path, unit }, { specifier }) => {
  if (!unit.startsWith('services/')) return undefined;
  const target = isRelative(specifier) ? unitOf(resolveRelative(path, specifier)) : serviceNamed(specifier);
  if (!target?.startsWith('services/') || target === unit) return undefined;
  return 'a service never imports another: move what both need to packages/ or proto/';
};

/** What of ours is neither a package nor the wire format is a service. */
function serviceNamed(specifier: string): string | undefined {
  const name = OURS.exec(specifier)?.[1];
  if (name === undefined || name === 'proto' || `packages/${name}` in PACKAGES) return undefined;
  return `services/${name}`;
}

const workersStayLight: EdgeRule = ({ path, isTest }, { specifier }) =>
  isWorker(path) && !isTest && NOT_IN_WORKERS.test(specifier)
    ? `worker/ holds user code only and loads fast: no ${specifier} there`
    : undefined;

const wireTypesStopAtCodecs: EdgeRule = ({ path, unit, isTest }, { specifier }) => {
  if (!unit.startsWith('services/') || isTest || OURS.exec(specifier)?.[1] !== 'proto') return undefined;
  if (NO_WIRE_TYPES.has(specifier) || posix.basename(path) === 'codec.ts' || path in WIRE_HOLDERS) return undefined;
  return `only codec.ts and the holders of a gRPC end import ${specifier}: translate there to a type of the domain`;
};

const nothingImportsTests: EdgeRule = ({ path, isTest }, { specifier }) =>
  !isTest && isRelative(specifier) && isTestPath(resolveRelative(path, specifier))
    ? `the product does not import tests: ${specifier}`
    : undefined;

const noDeepImports: EdgeRule = ({ path, unit }, { specifier }) => {
  const inside = OURS.exec(specifier)?.[2];
  if (inside?.startsWith('src/')) return `${specifier} reaches into a package: import what it exports`;
  if (!isRelative(specifier)) return undefined;
  const target = unitOf(resolveRelative(path, specifier));
  // Services export nothing; tests that cross packages have to reach into them.
  const forTests = unit === 'test' && !target.startsWith('packages/');
  return target === unit || forTests ? undefined : `${specifier} leaves ${unit}: import the package by its name`;
};

export const EDGE_RULES: Readonly<Record<string, EdgeRule>> = {
  'package-edges': packageImportsItsRow,
  'services-apart': servicesStayApart,
  'light-workers': workersStayLight,
  'wire-types': wireTypesStopAtCodecs,
  'no-test-imports': nothingImportsTests,
  'no-deep-imports': noDeepImports,
};

/**
 * What a worker loads by way of other files of its service: an innocent import of ../config/config.ts may bring all of gRPC.
 * @returns the chain, from the worker's own import to what must not be loaded
 */
export function heavyChain(worker: Source, all: ReadonlyMap<string, Source>): string[] | undefined {
  if (!isWorker(worker.path) || worker.isTest) return undefined;
  const seen = new Set([worker.path]);
  const queue: string[][] = [[worker.path]];
  for (let chain = queue.shift(); chain !== undefined; chain = queue.shift()) {
    const from = all.get(chain.at(-1)!);
    for (const { specifier, typeOnly } of from?.imports ?? []) {
      if (typeOnly) continue;
      if (chain.length > 1 && NOT_IN_WORKERS.test(specifier)) return [...chain.slice(1), specifier];
      const next = isRelative(specifier) ? resolveRelative(from!.path, specifier) : undefined;
      if (next === undefined || seen.has(next)) continue;
      seen.add(next);
      queue.push([...chain, next]);
    }
  }
  return undefined;
}

const isWorker = (path: string): boolean => path.startsWith('services/node-agent/src/worker/');

const listOf = ({ ours, node, npm = [] }: Allowed): string =>
  [...ours.map((name) => `@regatta/${name}`), ...(node ? ['node:*'] : []), ...npm].join(' and ') || 'nothing';
