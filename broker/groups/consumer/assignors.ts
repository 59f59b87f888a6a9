import { rangeAssignor } from './range-assignor.ts';
import type { Assignor } from './shares.ts';
import { uniformAssignor } from './uniform-assignor.ts';

export const DEFAULT_ASSIGNOR = 'uniform';

export const ASSIGNORS: ReadonlyMap<string, Assignor> = new Map([
  [DEFAULT_ASSIGNOR, uniformAssignor],
  ['range', rangeAssignor],
]);
