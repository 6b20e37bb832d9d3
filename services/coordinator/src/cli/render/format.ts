/** Numbers as people read them. */

export function milliseconds(ms: number): string {
  if (ms < 1) return `${(ms * 1000).toFixed(0)} µs`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 10_000) return `${ms.toFixed(0)} ms`;
  if (ms < 120_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${(ms / 60_000).toFixed(1)} min`;
}

export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value >= 100 || unit === 0 ? value.toFixed(0) : value.toFixed(1)} ${units[unit]}`;
}

/** With thousands grouped. */
export const whole = (value: number): string => Math.round(value).toLocaleString('en-US');

/** Per second, to three digits. */
export function rate(perSecond: number): string {
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toPrecision(3)}M/s`;
  if (perSecond >= 1e4) return `${(perSecond / 1e3).toPrecision(3)}k/s`;
  return `${perSecond >= 100 ? perSecond.toFixed(0) : perSecond.toPrecision(2)}/s`;
}

export const times = (factor: number): string => `${factor.toFixed(2)}×`;

/** "1 task", "2 tasks". */
export const plural = (count: number, noun: string): string => `${whole(count)} ${noun}${count === 1 ? '' : 's'}`;
