/**
 * How long a cluster stands still when its coordinator is killed: from SIGKILL to the first commit of the one that takes
 * over, in the midst of a run of short tasks. Two coordinators, two nodes that know both. What was committed before is
 * no sign: the clock stops when the new leader's count has grown beyond the first that it told.
 *
 * Against the lease: a stand-by waits that long before it takes over, whatever else is fast.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { startNats } from '@regatta/broker/testing';
import { median } from '@regatta/kernel';
import type { ControlServiceClient } from '@regatta/proto/control';
import { ControlClient } from '@regatta/proto/services';
import { Client } from '../../services/coordinator/src/cli/client.ts';
import { planRun } from '../../services/coordinator/src/cli/run-options.ts';
import type { Started } from '../../services/coordinator/src/embedded/spawn.ts';
import { limits } from '../../services/coordinator/src/journal/limits.ts';
import { eventually } from '../integration/cluster.ts';
import { type Bench, costFigure, type Figure } from './figure.ts';
import { digits } from './numbers.ts';
import { Site } from './site.ts';

const ROUNDS = 3;
const GOAL_MS = 5_000;
const LOOK_MS = 5;
const ANSWER_MS_MAX = 500;
const TAKE_OVER_MS_MAX = 30_000;
/** More than there is time for. */
const TASKS = 1_000_000;

export const failover: Bench = async () => {
  await using nats = await startNats();
  const site = await Site.start(nats, 2);
  try {
    const times: number[] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      process.stderr.write(`failover: round ${round} of ${ROUNDS}\n`);
      times.push(await timeTakeOver(site, ((round - 1) / ROUNDS) * limits.renewMs));
    }
    return figuresOf(times);
  } finally {
    await site.end();
  }
};

function figuresOf(times: readonly number[]): Figure[] {
  const against = `the lease (${digits(limits.leaseMs)} ms)`;
  const compared = { unit: 'ms', reference: limits.leaseMs };
  const name = 'failover: kill to the first new commit';
  return [
    costFigure({ name: `${name}, median`, value: median(times), ...compared, against }),
    costFigure({
      name: `${name}, longest of ${ROUNDS}`,
      value: Math.max(...times),
      ...compared,
      against: `${against}; goal at most ${digits(GOAL_MS)} ms`,
      goalValue: GOAL_MS,
    }),
  ];
}

/**
 * Leaves the site as it was, with the one that stood by as the leader.
 * @param afterMs how long the run goes on before: blows shall not all fall just after the lease was renewed
 */
async function timeTakeOver(site: Site, afterMs: number): Promise<number> {
  const { leader, standBy } = await rolesOf(site);
  const client = new Client(leader.address);
  const runId = await client.submit(plan());
  await eventually(async () => (await client.run(runId)).succeeded > 0, TAKE_OVER_MS_MAX, `${runId} to get on`);
  client.close();
  await sleep(afterMs);
  const look = new Look(standBy.address);
  try {
    const killedAt = performance.now();
    site.kill(leader);
    const first = await look.until(runId, () => true);
    const answeredMs = performance.now() - killedAt;
    await look.until(runId, (succeeded) => succeeded > first);
    const ms = performance.now() - killedAt;
    process.stderr.write(
      `failover: ${digits(answeredMs)} ms to the new leader's first answer, ${digits(ms)} ms to its first commit\n`,
    );
    await look.cancel(runId);
    await site.startCoordinator(leader.address);
    return ms;
  } finally {
    look.close();
  }
}

const plan = () => planRun('synthetic', { set: { count: String(TASKS), cpuMs: '1' }, policy: 'awf', retries: 0 }).spec;

/** Once one leads and the other follows it. */
async function rolesOf({ coordinators }: Site): Promise<{ leader: Started; standBy: Started }> {
  const looks = coordinators.map(({ address }) => new Look(address));
  try {
    let answers: string[] = [];
    const settled = async (): Promise<boolean> => {
      answers = await Promise.all(looks.map((look) => look.role()));
      return answers.includes('leads') && answers.some((answer) => /stands by/.test(answer));
    };
    await eventually(settled, TAKE_OVER_MS_MAX, 'one coordinator to lead, and one to stand by');
    const leads = answers.indexOf('leads');
    return { leader: coordinators[leads]!, standBy: coordinators[1 - leads]! };
  } finally {
    for (const look of looks) look.close();
  }
}

/** At one coordinator, whatever it is: a client would go to the one that leads. */
class Look {
  readonly #stub: ControlServiceClient;

  constructor(address: string) {
    this.#stub = new ControlClient(address, credentials.createInsecure());
  }

  role(): Promise<string> {
    return new Promise((resolve) => {
      this.#stub.getStatus({}, (error) => resolve(error === null ? 'leads' : error.details));
    });
  }

  /** @returns the count of committed tasks that is enough, once the coordinator tells it */
  async until(runId: string, isEnough: (succeeded: number) => boolean): Promise<number> {
    for (const startedAt = performance.now(); ; await sleep(LOOK_MS)) {
      const succeeded = await this.#succeeded(runId);
      if (succeeded !== undefined && isEnough(succeeded)) return succeeded;
      if (performance.now() - startedAt > TAKE_OVER_MS_MAX)
        throw new Error(`waited ${TAKE_OVER_MS_MAX} ms for another coordinator to go on with ${runId}`);
    }
  }

  async cancel(runId: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#stub.cancelRun({ runId, reason: 'measured' }, (error) => (error === null ? resolve() : reject(error)));
    });
  }

  close(): void {
    this.#stub.close();
  }

  /** Undefined where it does not lead. */
  #succeeded(runId: string): Promise<number | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    const settle = (error: ServiceError | null, succeeded: number): void => {
      if (error === null) resolve(succeeded);
      else if (error.code === status.UNAVAILABLE || error.code === status.DEADLINE_EXCEEDED) resolve(undefined);
      else reject(error);
    };
    const deadline = Date.now() + ANSWER_MS_MAX;
    this.#stub.getRun({ runId }, new Metadata(), { deadline }, (error, response) =>
      settle(error, Number(response?.run?.succeeded ?? 0)),
    );
    return promise;
  }
}
