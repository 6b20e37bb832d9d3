import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ClusterState } from '../../embedded/state.ts';
import { limits as commandLine, views } from '../limits.ts';
import type { CoordinatorView } from '../views.ts';
import { insecureText, natsText, statusObject, verboseObject, verboseText } from './status.ts';
import { nodeView } from './testing/views.ts';

const coordinator: CoordinatorView = {
  version: '0.1.0',
  pid: 1,
  uptimeMs: 150_000,
  rssBytes: 100 * 2 ** 20,
  runsActive: 1,
  runsKept: 1_234,
  keptMemoryBytes: 2_048,
  keptDiskBytes: 3 * 2 ** 30,
  steps: 5_000,
  stepMeanUs: 12.345,
  stepMaxUs: 2_500,
  limits: [
    { name: 'runsActiveMax', value: 10_000, unit: 'runs', description: 'waiting or running at once' },
    { name: 'messageBytesMax', value: 67_108_864, unit: 'bytes', description: 'one gRPC message' },
  ],
  natsServers: ['127.0.0.1:4222', 'box:4222'],
  natsComplaint: '',
  journal: true,
  wantsToken: true,
  insecure: [],
  refusedMissing: 1_000,
  refusedWrong: 234,
  metricsUrl: '',
  refusedNodes: [],
};
const gone: ClusterState = {
  address: '127.0.0.1:1',
  coordinator: { pid: 1, started: '' },
  agents: [],
  // No process has been given it yet.
  nats: { pid: 2 ** 22 + 1, started: '', address: '127.0.0.1:4222' },
  startedAt: '',
};
const nodeLimit = {
  name: 'hostTasksMax',
  value: 5,
  unit: 'tasks',
  description: 'a host process is replaced after so many',
};

describe('the status', () => {
  it('says where the journal is', () => {
    assert.equal(natsText(coordinator), 'journal: in NATS at 127.0.0.1:4222, box:4222');
  });

  it('says what it means that there is none', () => {
    const text = natsText({ ...coordinator, natsServers: [], journal: false });
    assert.equal(text, 'no journal: a coordinator that ends takes its runs with it (start with --nats)');
  });

  it('says why NATS cannot be used, and that the one of this cluster is gone', () => {
    const text = natsText({ ...coordinator, natsComplaint: 'it is on fire' }, gone);
    assert.deepEqual(text.split('\n').slice(1), [
      'NATS cannot be used just now: it is on fire',
      'nats-server of this cluster: at 127.0.0.1:4222, gone',
    ]);
  });

  it('says what is open to others, a line each, and nothing where nothing is', () => {
    assert.equal(insecureText(coordinator), '');
    assert.equal(
      insecureText({ ...coordinator, insecure: ['INSECURE: a', 'INSECURE: b'] }),
      'INSECURE: a\nINSECURE: b',
    );
  });

  it('has the same as fields', () => {
    const { servers, journal } = { servers: coordinator.natsServers, journal: true };
    const status = (over: object, up?: ClusterState) => statusObject('here', { ...coordinator, ...over }, [], up);
    assert.deepEqual(status({}), {
      coordinator: { pid: 1, address: 'here', metrics: null },
      nats: { servers, journal, complaint: null, server: null },
      access: { token: true, insecure: [], refused: { missing: 1_000, wrong: 234 } },
      nodes: [],
    });
    const { nats } = status({ natsComplaint: 'why' }, gone) as { nats: object };
    const server = { address: '127.0.0.1:4222', pid: 2 ** 22 + 1, gone: true };
    assert.deepEqual(nats, { servers, journal, complaint: 'why', server });
  });
});

describe('the status in detail', () => {
  it('says how the coordinator does', () => {
    assert.deepEqual(verboseText(coordinator, []).split('\n').slice(0, 6), [
      '',
      'version 0.1.0, up for 2.5 min, memory 100 MiB',
      '1 run active, 1,234 remembered; results and inputs: 2.0 KiB in memory, 3.0 GiB on disk',
      'scheduler: 5,000 steps, mean 12.3 µs, longest 2.5 ms',
      'access: by token; 1,234 calls refused, 1,000 without a token, 234 with a wrong one',
      '',
    ]);
    const [, , , , open] = verboseText({ ...coordinator, wantsToken: false }, []).split('\n');
    assert.equal(open, 'access: no token is asked for');
  });

  it('says which limits are kept to, with their units', () => {
    assert.deepEqual(verboseText(coordinator, []).split('\n').slice(6, 12), [
      'Limits of the coordinator',
      'limit                  value  of what',
      '───────────────  ───────────  ──────────────────────────',
      'runsActiveMax    10,000 runs  waiting or running at once',
      'messageBytesMax     64.0 MiB  one gRPC message',
      '',
    ]);
  });

  it('says those of each node that tells its own', () => {
    const nodes = [nodeView({ id: 'silent' }), nodeView({ id: 'n2', limits: [nodeLimit] })];
    const text = verboseText(coordinator, nodes);
    assert.match(text, /^Limits of node n2\n.*\n.*\nhostTasksMax {2}5 tasks {2}a host process is replaced/m);
    assert.doesNotMatch(text, /silent/);
  });

  it('says those of the command line, all of them', () => {
    const [, text] = verboseText(coordinator, []).split('Limits of the command line\n');
    for (const name of Object.keys(commandLine)) assert.match(text!, new RegExp(`^${name} `, 'm'));
  });

  it('is the same in JSON, beside the rest', () => {
    const nodes = [nodeView({ limits: [nodeLimit] })];
    assert.deepEqual(verboseObject({ coordinator: 'here' }, coordinator, nodes), {
      coordinator: 'here',
      figures: coordinator,
      nodeLimits: [{ node: 'n1', limits: [nodeLimit] }],
      commandLimits: views(),
    });
  });
});
