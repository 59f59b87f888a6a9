import type { SimRandom } from '../../sim/sim-random.ts';
import type { BrokerProcess } from './broker-process.ts';
import type { View } from './view.ts';

/**
 * A client that outlives brokers. It asks one thing at a time, so that at most one request has no answer when the
 * broker dies, and remembers what it was told: that is the model which `check` compares with what can be seen.
 */
export interface SimClient {
  /** Goes on where the last life of the broker left it. Throws on an answer that breaks a promise. */
  live(process: BrokerProcess, random: SimRandom, actions: number): Promise<void>;
  check(view: View): void;
  readonly groupIds: readonly string[];
}

export const TOPICS = { data: 3, queue: 2 } as const;

/** Answers that say: come again. */
const COORDINATOR_NOT_AVAILABLE = 15;
const NOT_ENOUGH_REPLICAS = 19;
const CONCURRENT_TRANSACTIONS = 51;
const COME_AGAIN = new Set([COORDINATOR_NOT_AVAILABLE, NOT_ENOUGH_REPLICAS, CONCURRENT_TRANSACTIONS]);

/** Asks until the answer is another than to come again. */
export async function insist(process: BrokerProcess, ask: () => Promise<number>): Promise<number> {
  for (let i = 0; i < 500; i += 1) {
    const code = await ask();
    if (!COME_AGAIN.has(code)) return code;
    await process.sleep(1);
  }
  throw new Error('told to come again, for ever');
}
