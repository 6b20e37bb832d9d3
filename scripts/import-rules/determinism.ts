/**
 * What the scheduler and the simulator may not say, though the compiler lets it through.
 * The same events must give the same effects, byte for byte, on every machine and every V8 (I8).
 */
import { isNode, type Node, type Source, walk } from './source.ts';

/** Names of the language itself; those of Node and of browsers the compiler refuses by `"types": []` already. */
const FORBIDDEN: Readonly<Record<string, string>> = {
  Date: 'reads a clock: time comes in as `now`',
  performance: 'reads a clock: time comes in as `now`',
  setTimeout: 'is a timer: return an effect that asks for one',
  setInterval: 'is a timer: return an effect that asks for one',
  setImmediate: 'is a timer: return an effect that asks for one',
  queueMicrotask: 'runs later, in an order of its own',
  Promise: 'runs later, in an order of its own',
  WeakRef: 'shows when memory is collected',
  FinalizationRegistry: 'shows when memory is collected',
  Intl: 'differs with the host’s locale data',
  Atomics: 'can wait for other threads',
  globalThis: 'reaches everything that is forbidden by name',
};

/** The part of Math that IEEE 754 or the language fixes to the last bit. All else is left to the engine. */
const EXACT_MATH = new Set(
  (
    'abs ceil clz32 floor fround f16round imul max min round sign sqrt trunc ' +
    'E LN10 LN2 LOG10E LOG2E PI SQRT1_2 SQRT2'
  ).split(' '),
);

const LOCALE_METHOD = /^(localeCompare|toLocale\w*)$/;

const PURE_UNITS = new Set(['packages/scheduler', 'packages/simulator']);

export interface Finding {
  readonly line: number;
  readonly message: string;
}

export function nondeterminismIn(source: Source): Finding[] {
  if (!PURE_UNITS.has(source.unit) || source.isTest) return [];
  const findings: Finding[] = [];
  walk(source.program, (node, holder, field) => {
    const message = objectionTo(node, holder, field);
    if (message !== undefined) findings.push({ line: source.lineOf(node), message });
  });
  return findings;
}

function objectionTo(node: Node, holder: Node | undefined, field: string): string | undefined {
  if (node.async === true || node.type === 'AwaitExpression' || node.await === true) {
    return 'async: a step ends before the next begins';
  }
  switch (node.type) {
    case 'ImportExpression':
      return 'import() gives a promise: import at the top';
    case 'BinaryExpression':
    case 'AssignmentExpression':
      return powerObjection(node);
    case 'Identifier':
      return nameObjection(node, holder, field);
    default:
      return undefined;
  }
}

/** Literal powers are folded by hand or by eye; others are Math.pow, which engines round differently. */
function powerObjection({ operator, left, right }: Node): string | undefined {
  if (operator !== '**' && operator !== '**=') return undefined;
  const bothLiteral = [left, right].every((side) => isNode(side) && side.type === 'Literal');
  return bothLiteral ? undefined : `${operator} differs between engines: multiply, or use what @regatta/kernel has`;
}

function nameObjection(node: Node, holder: Node | undefined, field: string): string | undefined {
  const name = String(node.name);
  if (isLabel(holder, field)) {
    return LOCALE_METHOD.test(name) ? `${name} differs with the host’s locale data` : undefined;
  }
  if (name === 'Math') return mathObjection(node, holder);
  return Object.hasOwn(FORBIDDEN, name) ? `${name} ${FORBIDDEN[name]}` : undefined;
}

/** Whether an identifier stands for a property's name, as in `a.Date` and `{ Date: 1 }`, and not for a value. */
function isLabel(holder: Node | undefined, field: string): boolean {
  if (holder === undefined || holder.computed === true) return false;
  return field === 'key' || field === 'property' || (holder.type === 'TSQualifiedName' && field === 'right');
}

function mathObjection(node: Node, holder: Node | undefined): string | undefined {
  const property = holder?.object === node && holder.computed !== true ? holder.property : undefined;
  const name = isNode(property) ? String(property.name) : undefined;
  if (name === undefined) return 'Math as a value hides which function is used: write Math.name';
  if (EXACT_MATH.has(name)) return undefined;
  const instead = name === 'random' ? 'use a seeded Rng' : 'use what @regatta/kernel has';
  return `Math.${name} differs between runs or engines: ${instead}`;
}
