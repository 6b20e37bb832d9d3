/** Where a value begins to be worth a look, and where it asks for somebody to act. */
import { type Threshold, ThresholdsConfigBuilder, ThresholdsMode } from '@grafana/grafana-foundation-sdk/dashboard';

export type Thresholds = readonly Threshold[];

const GOOD = 'green';
const WARN = 'orange';
const BAD = 'red';

/** Plain information: no value of it is good or bad. */
export const neutral: Thresholds = [{ value: null, color: 'blue' }];

export const badFrom = (bad: number): Thresholds => [
  { value: null, color: GOOD },
  { value: bad, color: BAD },
];

export const warnFrom = (warn: number): Thresholds => [
  { value: null, color: GOOD },
  { value: warn, color: WARN },
];

export const rising = (warn: number, bad: number): Thresholds => [
  { value: null, color: GOOD },
  { value: warn, color: WARN },
  { value: bad, color: BAD },
];

/** Bad below `good`. */
export const atLeast = (good: number): Thresholds => [
  { value: null, color: BAD },
  { value: good, color: GOOD },
];

/** Of what should be nothing at all, above as well as below. */
export const onlyZero: Thresholds = [
  { value: null, color: BAD },
  { value: -0.5, color: GOOD },
  { value: 0.5, color: BAD },
];

/** A share of lanes: idle, at work, all taken. Being full is what lanes are for: no warning. */
export const occupancy: Thresholds = [
  { value: null, color: 'text' },
  { value: 0.01, color: 'light-green' },
  { value: 0.5, color: 'green' },
  { value: 0.95, color: 'dark-green' },
];

export const configOf = (steps: Thresholds): ThresholdsConfigBuilder =>
  new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([...steps]);
