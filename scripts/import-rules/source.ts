/** One source file as the rules see it: what it imports, and its syntax tree. Comments and strings are neither. */
import { posix } from 'node:path';
import { parseSync } from 'oxc-parser';

export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** Gone at run time: `import type`, `export type ... from`, `import('x').T`. */
  readonly typeOnly: boolean;
}

export interface Source {
  /** From the root of the repository, with slashes. */
  readonly path: string;
  /** "packages/kernel", "services/coordinator", "test": what the file belongs to. */
  readonly unit: string;
  /** Tests, and what only tests use: neither is part of the product. */
  readonly isTest: boolean;
  readonly imports: readonly Import[];
  readonly program: Node;
  readonly lineOf: (node: Node) => number;
  /** Why the file could not be read; nothing else can be said of it then. */
  readonly syntaxError?: string;
}

/** A node of the ESTree that oxc makes; of its many fields each rule asks for those that it knows. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly [field: string]: unknown;
}

export function parseSource(path: string, text: string): Source {
  const { program, errors } = parseSync(path, text, { sourceType: 'module' });
  const lineOf = (node: Node) => text.slice(0, node.start).split('\n').length;
  const source = { path, unit: unitOf(path), isTest: isTestPath(path), program: program as unknown as Node, lineOf };
  if (errors[0] !== undefined) return { ...source, imports: [], syntaxError: errors[0].message };
  const imports: Import[] = [];
  walk(source.program, (node) => {
    const specifier = specifierOf(node);
    if (specifier !== undefined) imports.push({ specifier, line: lineOf(node), typeOnly: isTypeOnly(node) });
  });
  return { ...source, imports };
}

export function unitOf(path: string): string {
  const [top = '', name = ''] = path.split('/');
  return top === 'packages' || top === 'services' ? `${top}/${name}` : top;
}

export const isTestPath = (path: string): boolean =>
  unitOf(path) === 'test' || path.endsWith('.test.ts') || path.split('/').includes('testing');

/** Calls `visit` for every node, each before its children, with the node that holds it and in which field. */
export function walk(
  node: Node,
  visit: (node: Node, holder: Node | undefined, field: string) => void,
  holder?: Node,
  field = '',
): void {
  visit(node, holder, field);
  for (const [name, value] of Object.entries(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) walk(child, visit, node, name);
    }
  }
}

export const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';

/** The file that a relative specifier names. */
export const resolveRelative = (from: string, specifier: string): string => posix.join(posix.dirname(from), specifier);

function specifierOf(node: Node): string | undefined {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
    case 'ImportExpression':
    case 'TSImportType':
      return literalOf(node.source);
    case 'TSExternalModuleReference':
      return literalOf(node.expression);
    case 'CallExpression': {
      const { callee } = node as { callee?: Node };
      return callee?.type === 'Identifier' && callee.name === 'require'
        ? literalOf((node.arguments as unknown[])[0])
        : undefined;
    }
    default:
      return undefined;
  }
}

/** The text of a string literal, or of a template with nothing to fill in. */
function literalOf(value: unknown): string | undefined {
  if (!isNode(value)) return undefined;
  if (value.type === 'Literal' && typeof value.value === 'string') return value.value;
  const quasis = value.type === 'TemplateLiteral' ? (value.quasis as { value: { cooked: string } }[]) : [];
  return quasis.length === 1 ? quasis[0]?.value.cooked : undefined;
}

const isTypeOnly = (node: Node): boolean =>
  node.type === 'TSImportType' || node.importKind === 'type' || node.exportKind === 'type';
