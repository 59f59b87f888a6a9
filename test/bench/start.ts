import type { Bench } from './bench.ts';
import { startBroker } from './broker-process.ts';
import { residentMib } from './process-usage.ts';
import { median } from './statistics.ts';
import { startWhole } from './whole.ts';

const STARTS = 5;

/** From the command to the answer, on empty directories; the cached build is there already. */
export const bench: Bench = {
  name: 'start',
  about: `median of ${STARTS} starts: the broker alone, and everything`,
  async run({ workplace, say, report }) {
    // The first one makes the cached build where it is missing.
    await (await startBroker(workplace)).stop();
    say('broker');
    const broker = await times(() => startBroker(workplace));
    report({
      what: 'broker',
      value: broker.seconds,
      unit: 's',
      note: `to the answer to ApiVersions, median of ${STARTS}; ${Math.round(broker.mib)} MiB resident then`,
    });
    say('up');
    const whole = await times(() => startWhole(workplace));
    report({ what: 'up', value: whole.seconds, unit: 's', note: `until it says so, median of ${STARTS}` });
  },
};

async function times(
  start: () => Promise<{ pid: number; stop(): Promise<void> }>,
): Promise<{ seconds: number; mib: number }> {
  const seconds: number[] = [];
  const memory: number[] = [];
  for (let n = 0; n < STARTS; n += 1) {
    const before = performance.now();
    const started = await start();
    seconds.push((performance.now() - before) / 1_000);
    memory.push(residentMib(started.pid));
    await started.stop();
  }
  return { seconds: median(seconds), mib: median(memory) };
}
