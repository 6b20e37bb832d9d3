import { RegattaError } from '@regatta/kernel';
import type { Parameter, Parameters, Workload } from './define.ts';

/**
 * The parameters of a run: the workload's defaults with the given values over them.
 * @param given strings as `--set` gives them, or values of the right type as JSON gives them
 * @throws RegattaError BAD_PARAMETER in one line, naming the parameter and what it takes
 */
export function resolveParameters(workload: Workload, given: Readonly<Record<string, unknown>>): Parameters {
  const declared = workload.parameters as Readonly<Record<string, Parameter>>;
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(declared, name)) {
      const known = Object.keys(declared).join(', ') || 'none';
      throw bad(`${workload.name} has no parameter ${JSON.stringify(name)}; it takes: ${known}`);
    }
  }
  const resolved: Record<string, number | string | boolean> = {};
  for (const [name, parameter] of Object.entries(declared)) {
    const raw = Object.hasOwn(given, name) ? given[name] : parameter.default;
    resolved[name] = valueFor(workload.name, name, parameter, raw);
  }
  return resolved;
}

function valueFor(workload: string, name: string, parameter: Parameter, raw: unknown): number | string | boolean {
  switch (typeof parameter.default) {
    case 'number':
      return numberOf(workload, name, parameter, raw);
    case 'boolean':
      if (raw === true || raw === 'true') return true;
      if (raw === false || raw === 'false') return false;
      throw bad(`${workload}: ${name} is ${shown(raw)}; give true or false`);
    default:
      return String(raw);
  }
}

// Any other underscore makes it no number: `--set n=_` is a slip, not 0.
const BETWEEN_DIGITS = /(?<=\d)_(?=\d)/g;

function numberOf(workload: string, name: string, parameter: Parameter, raw: unknown): number {
  const value = typeof raw === 'string' && raw.trim() !== '' ? Number(raw.replaceAll(BETWEEN_DIGITS, '')) : raw;
  const what = parameter.integer ? 'a whole number' : 'a number';
  const low = parameter.min === undefined ? '' : ` from ${parameter.min}`;
  const high = parameter.max === undefined ? '' : ` to ${parameter.max}`;
  const fits =
    typeof value === 'number' &&
    Number.isFinite(value) &&
    (!parameter.integer || Number.isSafeInteger(value)) &&
    value >= (parameter.min ?? Number.NEGATIVE_INFINITY) &&
    value <= (parameter.max ?? Number.POSITIVE_INFINITY);
  if (!fits) throw bad(`${workload}: ${name} is ${shown(raw)}; give ${what}${low}${high}`);
  return value;
}

/** As JSON, but for NaN and bigints, which JSON would hide or refuse. */
const shown = (raw: unknown): string =>
  typeof raw === 'number' || typeof raw === 'bigint' ? String(raw) : JSON.stringify(raw);

const bad = (message: string): RegattaError<'BAD_PARAMETER'> => new RegattaError('BAD_PARAMETER', message);
