import type { Bench } from './bench.ts';
import { bench as brokerAlone } from './broker-alone.ts';
import { bench as gateway } from './gateway.ts';
import { bench as idle } from './idle.ts';
import { bench as latency } from './latency.ts';
import { bench as pipeline } from './pipeline.ts';
import { bench as start } from './start.ts';
import { bench as tail } from './tail.ts';
import { bench as walk } from './walk.ts';

/** All benches, in the order in which they run and stand in the table. */
export const BENCHES: readonly Bench[] = [brokerAlone, walk, gateway, pipeline, latency, tail, start, idle];
