/** Where lanes wait while no more results are to be made: those who take them are behind. */
export class Gate {
  #shut: PromiseWithResolvers<void> | undefined;

  /** Resolves when it opens; undefined while it is open. */
  get opening(): Promise<void> | undefined {
    return this.#shut?.promise;
  }

  hold(on: boolean): void {
    if (on) {
      this.#shut ??= Promise.withResolvers();
    } else {
      this.#shut?.resolve();
      this.#shut = undefined;
    }
  }
}
