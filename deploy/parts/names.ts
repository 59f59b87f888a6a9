/** The parts. They start as `STARTS_AFTER` says and stop in `STOP_ORDER`, writers first. */
export const PART_NAMES = ['broker', 'store', 'collector', 'sink', 'alerts', 'web', 'agent'] as const;

export type PartName = (typeof PART_NAMES)[number];

/** At the first start a part waits for these, so that nobody begins by complaining; later restarts wait for nobody. */
export const STARTS_AFTER: Readonly<Record<PartName, readonly PartName[]>> = {
  broker: [],
  store: [],
  collector: ['broker'],
  sink: ['broker', 'store'],
  alerts: ['broker'],
  web: ['store'],
  agent: ['collector'],
};

/** Who writes stops before who is written to, so that nothing in flight is cut off. */
export const STOP_ORDER: readonly (readonly PartName[])[] = [
  ['agent', 'web'],
  ['collector'],
  ['sink', 'alerts'],
  ['store', 'broker'],
];
