/** A bar for each series, the longest first to the eye: who differs from the others. */

import { PanelBuilder } from '@grafana/grafana-foundation-sdk/bargauge';
import {
  BarGaugeDisplayMode,
  BarGaugeNamePlacement,
  BarGaugeSizing,
  BarGaugeValueMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  VizLegendOptionsBuilder,
  VizOrientation,
} from '@grafana/grafana-foundation-sdk/common';
import { BY_NAME, BY_THRESHOLD, dress, type PanelWords, type Unplaced } from './dress.ts';

interface BarsWords extends PanelWords {
  readonly calc?: 'lastNotNull' | 'max' | 'mean';
}

export const bars = (words: BarsWords): Unplaced =>
  dress(new PanelBuilder(), { min: 0, ...words }, words.thresholds === undefined ? BY_NAME : BY_THRESHOLD)
    .reduceOptions(
      new ReduceDataOptionsBuilder()
        .calcs([words.calc ?? 'lastNotNull'])
        .fields('')
        .values(false),
    )
    .orientation(VizOrientation.Horizontal)
    .displayMode(BarGaugeDisplayMode.Basic)
    .valueMode(BarGaugeValueMode.Color)
    .namePlacement(BarGaugeNamePlacement.Left)
    .sizing(BarGaugeSizing.Auto)
    .minVizHeight(16)
    .minVizWidth(8)
    .maxVizHeight(48)
    .showUnfilled(true)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.Hidden)
        .placement(LegendPlacement.Bottom)
        .showLegend(false)
        .calcs([]),
    )
    .build();
