/**
 * What a PromQL expression asks for. A scanner, not a parser: whether it is well-formed is Prometheus' own to say
 * (`format_query`, in queries.test.ts); here it only matters which metrics and labels it names.
 */

/** `label="value"`, or with another operator. */
export interface Matcher {
  readonly metric: string;
  readonly label: string;
  readonly operator: '=' | '!=' | '=~' | '!~';
  readonly value: string;
}

export interface Named {
  /** Each metric with the labels that its selectors match on. */
  readonly metrics: ReadonlyMap<string, ReadonlySet<string>>;
  readonly matchers: readonly Matcher[];
  /** What it groups or joins by. */
  readonly groupings: ReadonlySet<string>;
}

const WORD = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const LISTS = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right']);
const OPERATORS = new Set([
  'and',
  'or',
  'unless',
  'atan2',
  'bool',
  'offset',
  'start',
  'end',
  'inf',
  'nan',
  'Inf',
  'NaN',
]);

export function namesIn(expr: string): Named {
  const metrics = new Map<string, Set<string>>();
  const matchers: Matcher[] = [];
  const groupings = new Set<string>();
  const strings: string[] = [];
  // Strings may hold anything: a number stands for each. And a range or a number's unit is no name.
  const hide = (whole: string): string => `"${strings.push(whole.slice(1, -1)) - 1}"`;
  const text = expr.replace(/"(\\.|[^"\\])*"|'(\\.|[^'\\])*'/g, hide).replace(/\[[^\]]*\]/g, '');
  let at = 0;
  while (at < text.length) {
    if (/[0-9]/.test(text[at]!)) {
      at += /^[0-9][0-9a-zA-Z.]*/.exec(text.slice(at))![0].length;
      continue;
    }
    WORD.lastIndex = at;
    const word = WORD.exec(text)?.[0];
    if (word === undefined) {
      at++;
      continue;
    }
    at += word.length;
    const rest = text.slice(at);
    if (LISTS.has(word)) {
      const list = /^\s*\(([^)]*)\)/.exec(rest);
      for (const label of wordsIn(list?.[1] ?? '')) groupings.add(label);
      at += list?.[0].length ?? 0;
    } else if (!OPERATORS.has(word) && !/^\s*(\(|(by|without)\b)/.test(rest)) {
      const labels = metrics.get(word) ?? new Set();
      const braces = /^\s*\{([^}]*)\}/.exec(rest);
      for (const matcher of (braces?.[1] ?? '').split(',')) {
        const [, label, operator, string] = /^\s*(\w+)\s*(=~|!~|!=|=)\s*"(\d+)"\s*$/.exec(matcher) ?? [];
        if (label === undefined) continue;
        labels.add(label);
        matchers.push({
          metric: word,
          label,
          operator: operator as Matcher['operator'],
          value: strings[Number(string)]!,
        });
      }
      metrics.set(word, labels);
      at += braces?.[0].length ?? 0;
    }
  }
  return { metrics, matchers, groupings };
}

const wordsIn = (text: string): string[] => text.match(/[a-zA-Z_][a-zA-Z0-9_]*/g) ?? [];

/** What Grafana puts in for its variables before it asks. @param values of a board's own ones */
export function filledIn(expr: string, values: Readonly<Record<string, string>> = {}): string {
  const all: Record<string, string> = {
    __rate_interval: '20s',
    __interval: '5s',
    __range: '30m',
    node: '.*',
    model: '.*',
    ...values,
  };
  return expr.replace(/\$\{?(\w+)(?::\w+)?\}?/g, (whole, name: string) => all[name] ?? whole);
}
