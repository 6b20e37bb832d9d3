/** What of a dashboard makes it another version: what it shows and asks for, and not what Grafana adds on its way. */

export interface Essence {
  readonly uid: string;
  readonly title: string;
  /** One text for each panel, and one for the variables. */
  readonly parts: readonly string[];
}

interface Panel {
  readonly id?: unknown;
  readonly type?: unknown;
  readonly title?: unknown;
  readonly targets?: readonly { readonly refId?: unknown; readonly expr?: unknown }[];
  /** Of a row that is folded. */
  readonly panels?: readonly Panel[];
}

interface Board {
  readonly uid?: unknown;
  readonly title?: unknown;
  readonly panels?: readonly Panel[];
  readonly templating?: { readonly list?: readonly { readonly name?: unknown }[] };
}

/** @param json a dashboard as Grafana has it. @throws TypeError where it is none */
export function essenceOf(json: unknown): Essence {
  const { uid, title, panels = [], templating } = json as Board;
  const variables = (templating?.list ?? []).map(({ name }) => name);
  return { uid: String(uid), title: String(title), parts: [...panels.flatMap(panelParts), JSON.stringify(variables)] };
}

const panelParts = ({ id, type, title, targets = [], panels = [] }: Panel): string[] => [
  JSON.stringify([id, type, title, targets.map(({ refId, expr }) => [refId, expr])]),
  ...panels.flatMap(panelParts),
];

export const isSame = (a: Essence, b: Essence): boolean =>
  a.title === b.title && a.parts.length === b.parts.length && a.parts.every((part, i) => part === b.parts[i]);
