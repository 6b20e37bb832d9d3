/** What is marked on every graph of a board: runs as bands from start to end, and what went wrong as lines. */
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import type { AnnotationQuery } from '@grafana/grafana-foundation-sdk/dashboard';
import { DATASOURCE } from './query.ts';

interface Marks {
  readonly name: string;
  readonly colour: string;
  /** Marked wherever it has a value above zero; neighbouring moments become one band. */
  readonly expr: string;
  readonly title: string;
  readonly text: string;
  readonly tags?: string;
}

/** As an editor of Grafana 11 writes it: the query is in `target`; releases before that read `expr`. */
export const marks = ({ name, colour, expr, title, text, tags = '' }: Marks): Builder<AnnotationQuery> => ({
  build: () =>
    ({
      name,
      datasource: DATASOURCE,
      enable: true,
      hide: false,
      iconColor: colour,
      expr,
      step: '',
      target: { refId: 'Anno', datasource: DATASOURCE, expr, range: true, instant: false, interval: '' },
      titleFormat: title,
      textFormat: text,
      tagKeys: tags,
      useValueForTime: false,
    }) as unknown as AnnotationQuery,
});

/** Annotations that people make in Grafana itself. A board that is made there has it; one from a file has to say so. */
export const madeByHand = (): Builder<AnnotationQuery> => ({
  build: () => ({
    name: 'Annotations & Alerts',
    type: 'dashboard',
    builtIn: 1,
    datasource: { type: 'grafana', uid: '-- Grafana --' },
    enable: true,
    hide: true,
    iconColor: 'rgba(0, 211, 255, 1)',
  }),
});
