/** An option of a program that is a number within bounds. */
import { RegattaError } from '@regatta/kernel';

/** @throws RegattaError BAD_OPTION */
export function numberOption(
  name: string,
  text: string | undefined,
  standard: number,
  least: number,
  most: number,
): number {
  const value = text === undefined ? standard : Number(text);
  if (value >= least && value <= most) return value;
  throw new RegattaError('BAD_OPTION', `${name} is a number from ${least} to ${most}, not ${text}`);
}
