/** Chance that leaves nothing out. */
import type { Chance } from '../integration/hostile.ts';

/** Cards in random order, shuffled anew whenever all have been drawn: none is rare for long. */
export class Deck<Card> {
  readonly #cards: readonly Card[];
  readonly #chance: Chance;
  #left: Card[] = [];

  constructor(cards: readonly Card[], chance: Chance) {
    this.#cards = cards;
    this.#chance = chance;
  }

  draw(): Card {
    if (this.#left.length === 0) this.#left = [...this.#cards];
    return this.#left.splice(this.#chance.below(this.#left.length), 1)[0]!;
  }
}
