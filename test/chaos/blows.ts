/**
 * What befalls the cluster, and when: an endless row of blows that a seed fixes. Pure.
 *
 * - B1: each way to strike each target comes once before any comes again. A brief pause is one way, another is a pause
 *   that leases do not outlast; an agent's hosts may hang while it lives on.
 * - B2: now and then the next blow falls at once, so that several are down together.
 */
import { Chance } from '../integration/hostile.ts';
import { Deck } from '../soak/deck.ts';

export const targets = ['agent-1', 'agent-2', 'agent-3', 'leader', 'stand-by', 'coordinators', 'nats'] as const;
export type Target = (typeof targets)[number];
export const ways = ['kill', 'pause', 'hang'] as const;
export type Way = (typeof ways)[number];

export interface Blow {
  /** Since the blow before this one. */
  readonly afterMs: number;
  readonly target: Target;
  readonly way: Way;
  /** Until what was killed is started again, or what was paused or hung goes on. */
  readonly forMs: number;
}

type Span = readonly [least: number, most: number];

export interface Pace {
  /** Between two blows. */
  readonly gapMs: Span;
  readonly briefMs: Span;
  readonly longMs: Span;
  readonly downMs: Span;
}

const AT_ONCE_IN = 4;
const AT_ONCE_MS_MAX = 100;
const STREAM = 201;

const spans = {
  kill: ['downMs'],
  pause: ['briefMs', 'longMs'],
  hang: ['longMs'],
} as const satisfies Record<Way, (keyof Pace)[]>;
const hasHosts = (target: Target): boolean => target.startsWith('agent-');
const cards = targets.flatMap((target) =>
  ways
    .filter((way) => way !== 'hang' || hasHosts(target))
    .flatMap((way) => spans[way].map((span) => ({ target, way, span }) as const)),
);

export function* blowsOf(seed: number, pace: Pace): Generator<Blow, never> {
  const chance = new Chance(seed, STREAM);
  const deck = new Deck(cards, chance);
  for (;;) {
    const atOnce = chance.below(AT_ONCE_IN) === 0;
    const afterMs = within(chance, atOnce ? [0, AT_ONCE_MS_MAX] : pace.gapMs);
    const { target, way, span } = deck.draw();
    yield { afterMs, target, way, forMs: within(chance, pace[span]) };
  }
}

const within = (chance: Chance, [least, most]: Span): number => least + chance.below(most - least + 1);
