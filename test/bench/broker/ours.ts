import { startBroker } from '../broker-process.ts';
import { residentMib } from '../process-usage.ts';
import type { Workplace } from '../workplace.ts';
import { Side } from './side.ts';

/** Our broker as its command starts it, with its defaults. */
export async function startOurs(workplace: Workplace): Promise<Side> {
  const start = performance.now();
  const broker = await startBroker(workplace);
  return new Side({
    name: 'ours',
    port: broker.port,
    directory: broker.directory,
    startSeconds: (performance.now() - start) / 1_000,
    startMib: residentMib(broker.pid),
    running: broker,
    connection: await broker.connect(),
  });
}
