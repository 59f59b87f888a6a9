import { startBroker } from '../broker-process.ts';
import { Probe } from '../probe.ts';
import { residentMib } from '../process-usage.ts';
import type { Workplace } from '../workplace.ts';
import { Side } from './side.ts';

/** Our broker as its command starts it, with its defaults. */
export async function startOurs(workplace: Workplace): Promise<Side> {
  const probe = new Probe(workplace.directory());
  const start = performance.now();
  const broker = await startBroker(workplace, probe);
  return new Side({
    name: 'ours',
    port: broker.port,
    directory: broker.directory,
    startSeconds: (performance.now() - start) / 1_000,
    startMib: residentMib(broker.pid),
    running: broker,
    turns: () => probe.ask(broker.pid),
    connection: await broker.connect(),
  });
}
