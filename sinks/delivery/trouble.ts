import type { Log } from '../../broker/host/log.ts';
import { ClickHouseFailure } from '../clickhouse/port.ts';
import type { Meter } from './meter.ts';

/** Counts every failure and says each trouble once: when it begins, when its nature changes, and when it is over. */
export interface Trouble {
  met(doing: string, error: unknown): void;
  over(doing: string): void;
}

export function createTrouble(log: Log, meter: Pick<Meter, 'retries'>): Trouble {
  const said = new Map<string, string>();
  return {
    met(doing, error) {
      const message = error instanceof Error ? error.message : String(error);
      const reason = error instanceof ClickHouseFailure ? `${error.kind}-${error.code}` : 'other';
      meter.retries.add(1, { doing, reason });
      if (said.get(doing) === reason) return;
      said.set(doing, reason);
      log.warn({ doing, reason, error: message }, 'cannot deliver now: trying again until it works');
    },
    over(doing) {
      if (said.delete(doing)) log.info({ doing }, 'delivery goes on');
    },
  };
}
