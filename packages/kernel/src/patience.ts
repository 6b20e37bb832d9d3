/**
 * Waiting that ends. Apart from the rest of the kernel: it needs a clock, and who may not have one, as the scheduler,
 * must not come to it by way of something else.
 */

/**
 * Waits for work, but not for longer than so many ms; afterwards nothing of the waiting is left.
 * @returns whether it came to an end in time; what it comes to later, a failure too, is nobody's any more
 * @throws what the work throws in time
 */
export async function atMost(ms: number, work: Promise<unknown>): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), ms);
  try {
    return await Promise.race([work.then(() => true), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
