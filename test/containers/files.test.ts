/** The files of deploy/ as they are written: what can be known of them before an engine is asked. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { composeCommand, root, whyNoCompose } from './engine.ts';

const folder = join(root, 'deploy');
const composeFiles = readdirSync(folder).filter((name) => /^compose\..*yaml$|^compose\.yaml$/.test(name));
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');

/** What each compose file is for, as DEPLOYING starts them. */
const COMBINATIONS = [
  ['compose.yaml'],
  ['compose.yaml', 'compose.ha.yaml'],
  ['compose.yaml', 'compose.hosts.yaml'],
  ['compose.yaml', 'compose.ha.yaml', 'compose.ha.hosts.yaml'],
  ['compose.agent.yaml'],
] as const;

describe('the compose files', () => {
  it('are all looked at here', () => {
    assert.deepEqual([...new Set(COMBINATIONS.flat())].sort(), composeFiles.sort());
  });

  // Each of them a 1.29 or some v2 refuses, leaves out, warns of, or takes for something else.
  it('say nothing that one compose understands and another does not', () => {
    const unlike =
      /^(version|name|include):|^ +(container_name|links|extends|env_file|pull_policy|start_interval|develop|provider):|\$\{\w+:?\+|!reset|!override/m;
    for (const name of composeFiles) assert.doesNotMatch(read(name), unlike, name);
  });

  // v2 refuses `pids_limit` beside `deploy.resources.limits`, 1.29 refuses `pids` within it.
  it('limit services in the one form that every compose takes', () => {
    for (const name of composeFiles) assert.doesNotMatch(read(name), /\b(deploy|resources|limits):/, name);
    assert.match(read('compose.yaml'), /^ {4}pids_limit: \d+\n {4}cpus: .*\n {4}mem_limit: /m);
  });

  describe('as compose reads them', { skip: whyNoCompose }, () => {
    for (const files of COMBINATIONS) {
      it(`are valid: ${files.join(' + ')}`, () => {
        const { status, stderr } = config(files, '--quiet');
        assert.deepEqual([status, stderr], [0, '']);
      });
    }

    // Where nothing is built yet 1.29 goes to a registry for the image of one that comes first.
    it('start what has the image of another after that one, which has it built', () => {
      const sharing = COMBINATIONS.flatMap((files) => {
        const services = [...blocksOf('services', config(files).stdout)];
        const built = services.filter(([, text]) => /^ +build:/m.test(text));
        return services.flatMap(([name, text]) => {
          const builders = built.filter(([, its]) => imageIn(its) === imageIn(text)).map(([builder]) => builder);
          if (builders.length === 0 || built.some(([builder]) => builder === name)) return [];
          const after = builders.some((builder) => text.includes(`      ${builder}:\n        condition: `));
          return [{ files: files.length, name, after }];
        });
      });
      assert.deepEqual(sharing, [
        { files: 2, name: 'coordinator-2', after: true },
        { files: 3, name: 'coordinator-2', after: true },
      ]);
    });

    it('do not say where other hosts are in place of who starts them', () => {
      const { status, stderr } = config(['compose.agent.yaml'], '--quiet', { REGATTA_COORDINATOR: '' });
      assert.notEqual(status, 0);
      assert.match(stderr, /REGATTA_COORDINATOR.*is to be HOST:PORT of the coordinator/s);
      for (const files of COMBINATIONS.filter((names) => names.some((name) => name.includes('hosts')))) {
        const { status, stderr } = config(files, '--quiet', { REGATTA_HOST_ADDRESS: '' });
        assert.notEqual(status, 0);
        assert.match(stderr, /REGATTA_HOST_ADDRESS.*is to be the address of this host that other hosts dial/s);
      }
    });

    it('ask of one more host an address and a token, and no more', () => {
      const { status, stdout } = config(['compose.agent.yaml'], undefined, { REGATTA_HOST_ADDRESS: '' });
      assert.equal(status, 0);
      assert.deepEqual([...blocksOf('secrets', stdout).keys()], ['join-token']);
    });
  });
});

describe('the configurations of Prometheus', () => {
  it('send no token after a redirect', () => {
    for (const name of ['prometheus/prometheus.yml', 'prometheus/prometheus.ha.yml']) {
      const senders = read(name).match(/^ *- (job_name|url): .*\n.*$/gm) ?? [];
      assert.ok(senders.length >= 4, name);
      for (const sender of senders) assert.match(sender, /\n *follow_redirects: false$/, name);
    }
  });
});

const imageIn = (service: string): string | undefined => /^ +image: (.*)$/m.exec(service)?.[1];

/** What is below a word at the margin, by name, from what compose makes of its files: each as the lines below its name. */
function blocksOf(word: string, text: string): Map<string, string> {
  const [, below = ''] = text.split(new RegExp(`^${word}:\\n`, 'm'));
  const [section = ''] = below.split(/^(?=\S)/m);
  const blocks = section.split(/^ {2}(?=\S)/m).filter((block) => block !== '');
  return new Map(blocks.map((block) => [block.slice(0, block.indexOf(':')), block]));
}

/** @param options of `config` */
function config(files: readonly string[], option?: string, environment: Readonly<Record<string, string>> = {}) {
  const [program, ...first] = composeCommand();
  const words = files.flatMap((name) => ['-f', join(folder, name)]);
  return spawnSync(program!, [...first, ...words, 'config', ...(option === undefined ? [] : [option])], {
    encoding: 'utf8',
    timeout: 30_000,
    cwd: tmpdir(),
    env: {
      PATH: process.env.PATH,
      HOME: tmpdir(),
      REGATTA_PUBLISH: '127.0.0.1',
      REGATTA_COORDINATOR: '127.0.0.1:7420',
      REGATTA_HOST_ADDRESS: '127.0.0.1',
      ...environment,
    },
  });
}
