/** Numbers as people read them. */

export function milliseconds(ms: number): string {
  if (ms < 0.9995) return `${(ms * 1000).toFixed(0)} µs`;
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 9_999.5) return `${ms.toFixed(0)} ms`;
  if (ms < 120_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${(ms / 60_000).toFixed(1)} min`;
}

export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = count;
  let unit = 0;
  while (value >= 1023.5 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value >= 100 || unit === 0 ? value.toFixed(0) : value.toFixed(1)} ${units[unit]}`;
}

/** With thousands grouped. */
export const whole = (value: number): string => Math.round(value).toLocaleString('en-US');

/** Per second, to three digits. */
export function rate(perSecond: number): string {
  if (perSecond >= 999_500) return `${threeDigits(perSecond / 1e6)}M/s`;
  if (perSecond >= 9_999.5) return `${threeDigits(perSecond / 1e3)}k/s`;
  return `${threeDigits(perSecond)}/s`;
}

const threeDigits = (value: number): string => value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2);

export const times = (factor: number): string => `${factor.toFixed(2)}×`;

/** How chunks reach nodes. */
export const transportName = (transport: '' | 'grpc' | 'nats'): string => (transport === 'nats' ? 'NATS' : 'gRPC');
