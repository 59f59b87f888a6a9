import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { nodeHost } from '../../broker/host/node-host.ts';
import { openDiskLog } from '../../broker/log/open-log.ts';
import { recordBatch } from '../support/record-batch.ts';
import { FilesLog } from './storage/files-log.ts';
import { median } from './statistics.ts';

const HELP = `Compares two layouts of the log with fdatasync before every acknowledgement, on this machine's disk.

  wal    the broker's log as it is: one write-ahead log takes all appends, segments are written behind it
  files  each partition appends to its own file and syncs that (test/bench/storage/files-log.ts)

Both check, stamp, index and checksum real batches. A run of one follows a run of the other, so that both have the same
minutes of the machine. Printed: medians of batches/s and of CPU µs a batch, and the ratio of each pair, lowest to highest.

Usage: npm run bench storage -- [options]
  --partitions 1,100,1000   lines to measure
  --bytes 1024,16384        sizes of a batch
  --in-flight 64            appends that wait at once
  --seconds 3               per run
  --runs 3                  pairs
  --dir <path>              on the disk to measure (default: the temporary directory)
  --help`;

interface Layout {
  append(partition: number, batch: Buffer): Promise<void>;
  close(): Promise<void>;
}

const LAYOUTS = ['wal', 'files'] as const;

async function open(name: (typeof LAYOUTS)[number], directory: string, partitions: number): Promise<Layout> {
  const host = nodeHost();
  if (name === 'files') return await FilesLog.open(host, directory, partitions);
  const log = await openDiskLog({ dataDir: directory }, host);
  const topic = await log.createTopic({ name: 'bench', partitions, configs: {} });
  return {
    append: (partition, batch) =>
      topic.partitions[partition]!.append(batch, { nowMs: host.clock.nowMs(), origin: 'client' }).durable,
    close: () => log.close(),
  };
}

interface Measured {
  readonly rate: number;
  readonly cpuMicros: number;
}

/** `inFlight` callers, each of which appends again when its last append is durable, to one partition after the other. */
async function measure(
  layout: Layout,
  { partitions, bytes, inFlight, seconds }: Record<'partitions' | 'bytes' | 'inFlight' | 'seconds', number>,
): Promise<Measured> {
  const made = recordBatch({ values: ['x'.repeat(Math.max(0, bytes - 61 - 12))], baseTimestamp: Date.now() });
  let done = 0;
  let next = 0;
  const start = performance.now();
  const cpu = process.cpuUsage();
  const caller = async (): Promise<void> => {
    while (performance.now() - start < seconds * 1_000) {
      // The log takes what it is given, and writes into it.
      await layout.append(next++ % partitions, Buffer.from(made));
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  const { user, system } = process.cpuUsage(cpu);
  return { rate: done / ((performance.now() - start) / 1_000), cpuMicros: (user + system) / done };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      partitions: { type: 'string', default: '1,100,1000' },
      bytes: { type: 'string', default: '1024,16384' },
      'in-flight': { type: 'string', default: '64' },
      seconds: { type: 'string', default: '3' },
      runs: { type: 'string', default: '3' },
      dir: { type: 'string', default: tmpdir() },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(HELP);
  const inFlight = Number(values['in-flight']);
  const seconds = Number(values.seconds);
  console.log('| batch | partitions | files /s | wal /s | wal : files | files µs | wal µs |');
  console.log('|---:|---:|---:|---:|---:|---:|---:|');
  for (const bytes of values.bytes.split(',').map(Number)) {
    for (const partitions of values.partitions.split(',').map(Number)) {
      const runs: Record<(typeof LAYOUTS)[number], Measured[]> = { wal: [], files: [] };
      for (let run = 0; run < Number(values.runs); run += 1) {
        for (const name of LAYOUTS) {
          const directory = mkdtempSync(join(values.dir, 'millrace-layout-'));
          try {
            const layout = await open(name, directory, partitions);
            runs[name].push(await measure(layout, { partitions, bytes, inFlight, seconds }));
            await layout.close();
          } finally {
            rmSync(directory, { recursive: true, force: true });
          }
        }
      }
      const { wal, files } = runs;
      const ratios = wal.map(({ rate }, i) => rate / files[i]!.rate).sort((a, b) => a - b);
      const of = (list: readonly Measured[], key: keyof Measured): number =>
        Math.round(median(list.map((one) => one[key])));
      const spread = `${median(ratios).toFixed(1)} (${ratios[0]!.toFixed(1)}–${ratios.at(-1)!.toFixed(1)})`;
      const cells = [
        of(files, 'rate'),
        of(wal, 'rate'),
        spread,
        of(files, 'cpuMicros'),
        of(wal, 'cpuMicros'),
      ];
      console.log(`| ${bytes} | ${partitions} | ${cells.join(' | ')} |`);
    }
  }
}

await main();
