/** A process that reads a topic from its start to its end, again and again, as fast as it gets it: one JSON line a pass. */
import { Connection } from '../../../broker/client/connection.ts';
import { nodeHost } from '../../../broker/host/node-host.ts';
import { LogReader } from './log-reader.ts';

export interface Pass {
  readonly records: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly missed: number;
}

const FETCH_BYTES = 8 * 1024 * 1024;
/** At the end when what is left is less than what comes while a request is under way. */
const NEAR_END_RECORDS = 1_000;
const PAUSE_MS = 5_000;

if (import.meta.main) {
  const [port, topic, partitionCount] = process.argv.slice(2) as [string, string, string];
  const connection = await Connection.open(nodeHost(), { host: 'localhost', port: Number(port) }, 'catch-up');
  const partitions = Array.from({ length: Number(partitionCount) }, (_, partition) => partition);
  for (;;) {
    const reader = new LogReader(connection, topic);
    const start = performance.now();
    await reader.rewind(partitions);
    do await reader.step(FETCH_BYTES);
    while (reader.lag > NEAR_END_RECORDS);
    const { records, bytes, missed } = reader;
    const pass: Pass = { records, bytes, missed, seconds: (performance.now() - start) / 1_000 };
    console.log(JSON.stringify(pass));
    await new Promise((resolve) => void setTimeout(resolve, PAUSE_MS));
  }
}
