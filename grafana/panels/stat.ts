/** One figure, large, coloured by its thresholds: what one looks at first. */
import {
  BigValueColorMode,
  BigValueGraphMode,
  BigValueTextMode,
  ReduceDataOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import { PanelBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { BY_THRESHOLD, dress, type PanelWords, type Unplaced } from './dress.ts';

interface StatWords extends PanelWords {
  /** Of the range that is shown: its newest value, unless said otherwise. */
  readonly calc?: 'lastNotNull' | 'max' | 'sum';
  /** Beside the value: needed where there are several. */
  readonly showsNames?: boolean;
}

export const stat = (words: StatWords): Unplaced =>
  dress(new PanelBuilder(), words, BY_THRESHOLD)
    .reduceOptions(
      new ReduceDataOptionsBuilder()
        .calcs([words.calc ?? 'lastNotNull'])
        .fields('')
        .values(false),
    )
    .colorMode(BigValueColorMode.Background)
    .graphMode(words.showsNames ? BigValueGraphMode.None : BigValueGraphMode.Area)
    .textMode(words.showsNames ? BigValueTextMode.ValueAndName : BigValueTextMode.Value)
    .wideLayout(true)
    .build();
