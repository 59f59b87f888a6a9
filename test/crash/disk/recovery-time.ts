/** By hand: `node test/crash/disk/recovery-time.ts --help`. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { Connection } from '../../../broker/client/connection.ts';
import { nodeHost } from '../../../broker/host/node-host.ts';
import { createTopics, fetch, produce } from '../../../broker/wire/schemas/index.ts';
import { cpuSeconds, residentPeakMib } from '../../bench/process-usage.ts';
import { type ProducePlan, produceFor, produceRequest } from '../../bench/raw-load.ts';
import { BrokerChild } from './broker-child.ts';
import { pause } from './kill-loop.ts';

const HELP = `How long a broker with much log takes from its start after kill -9 to being of use.

node test/crash/disk/recovery-time.ts [options]

  --gib G      log to write before, half of it in records of 1 KB, half of 16 KB (default 10)
  --kills N    kill -9 under load, that often                                   (default 5)
  --dir D      on the disk to measure; needs G GiB and some                     (default: the temporary directory)`;

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
const TOPIC = 'recovery';
const PARTITIONS = 12;
const CONNECTIONS = 2;
const IN_FLIGHT = 4;
/** Versions that go by topic names. */
const PRODUCE_VERSION_MAX = 9;
const FETCH_VERSION_MAX = 12;
const LOAD_BEFORE_KILL_S = 3;

const { values } = parseArgs({
  options: {
    gib: { type: 'string', default: '10' },
    kills: { type: 'string', default: '5' },
    dir: { type: 'string', default: tmpdir() },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const gib = Number(values.gib);
const kills = Number(values.kills);
if (!(gib > 0) || !(kills > 0)) {
  console.error(`cannot use --gib ${values.gib} --kills ${values.kills}: want numbers above 0`);
  process.exit(2);
}

// Processes, mounts and loop devices go with this one.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const host = nodeHost();
const folder = mkdtempSync(join(values.dir, 'millrace-recovery-'));
const dataDir = join(folder, 'data');
const broker = await BrokerChild.make({
  dataDir,
  settingsFile: join(folder, 'broker.yaml'),
  settings: { retentionBytes: -1, retentionMs: -1, diskBytesMax: Math.ceil(4 * gib + 8) * GIB },
});
try {
  await broker.start();
  await makeTopic();
  const written = await fill(gib * GIB);
  console.log(`${(written / GIB).toFixed(2)} GiB of batches in ${PARTITIONS} partitions`);
  for (let kill = 1; kill <= kills; kill += 1) console.log(await killAndStart(kill));
} finally {
  await broker.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);

/** Large requests over all partitions, so that the disk is kept busy by bytes and not by syncs. */
function plans(): ProducePlan[] {
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
  return [
    { topic: TOPIC, partitions, recordsPerBatch: 240, recordBytes: 1_000 },
    { topic: TOPIC, partitions, recordsPerBatch: 15, recordBytes: 16_000 },
  ];
}

async function fill(bytes: number): Promise<number> {
  const open = await Promise.all(Array.from({ length: CONNECTIONS }, connect));
  let written = 0;
  let printedMs = 0;
  while (written < bytes) {
    const load = await produceFor(open, plans(), IN_FLIGHT, 2);
    written += load.bytes;
    if (performance.now() - printedMs > 10_000) {
      printedMs = performance.now();
      const rate = load.bytes / load.seconds / MIB;
      console.log(`writing: ${(written / GIB).toFixed(2)} of ${gib} GiB, ${rate.toFixed(0)} MiB/s`);
    }
  }
  for (const one of open) one.close();
  return written;
}

async function killAndStart(kill: number): Promise<string> {
  const open = await Promise.all(Array.from({ length: CONNECTIONS }, connect));
  const loading = produceFor(open, plans(), IN_FLIGHT, 2 * LOAD_BEFORE_KILL_S + 60).catch(() => undefined);
  await pause(LOAD_BEFORE_KILL_S * 1_000);
  await broker.kill();
  await loading;
  for (const one of open) one.close();
  const walBytes = bytesIn(join(dataDir, 'broker', 'wal'));
  const logBytes = bytesIn(join(dataDir, 'broker', 'topics'));

  const startedMs = performance.now();
  await broker.start();
  const readyMs = performance.now() - startedMs;
  const readBytes = bytesRead();
  const connection = await connect();
  await readOnce(connection);
  const fetchedMs = performance.now() - startedMs;
  await writeOnce(connection);
  const producedMs = performance.now() - startedMs;
  connection.close();
  return (
    `kill ${kill}: ${(logBytes / GIB).toFixed(2)} GiB of log, ${(walBytes / MIB).toFixed(0)} MiB of write-ahead log; ` +
    `port answers after ${readyMs.toFixed(0)} ms, a fetch after ${fetchedMs.toFixed(0)} ms, ` +
    `a produce is acknowledged after ${producedMs.toFixed(0)} ms; ${(readBytes / MIB).toFixed(0)} MiB read until the port answers, ${(bytesRead() / MIB).toFixed(0)} in all, ` +
    `${cpuSeconds(broker.pid).toFixed(2)} s of CPU, memory peak ${residentPeakMib(broker.pid).toFixed(0)} MiB`
  );
}

/** By the broker since its start. */
function bytesRead(): number {
  return Number(/^rchar: (\d+)$/m.exec(readFileSync(`/proc/${broker.pid}/io`, 'utf8'))?.[1]);
}

async function readOnce(connection: Connection): Promise<void> {
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({
    partition,
    fetchOffset: 0,
    partitionMaxBytes: MIB,
  }));
  const request = { maxWaitMs: 100, minBytes: 1, maxBytes: 16 * MIB, topics: [{ topic: TOPIC, partitions }] };
  const { responses } = await connection.request(
    fetch,
    { ...request, forgottenTopicsData: [] },
    { versionMax: FETCH_VERSION_MAX },
  );
  for (const { errorCode, records } of responses[0]!.partitions) {
    if (errorCode !== 0 || !records?.length) throw new Error(`cannot fetch: got error ${errorCode}`);
  }
}

async function writeOnce(connection: Connection): Promise<void> {
  const { body } = produceRequest(plans()[0]!);
  const { responses } = await connection.request(produce, body, { versionMax: PRODUCE_VERSION_MAX });
  const code = responses[0]!.partitionResponses[0]!.errorCode;
  if (code !== 0) throw new Error(`cannot produce: got error ${code}`);
}

function connect(): Promise<Connection> {
  return Connection.open(host, { host: '127.0.0.1', port: broker.port }, 'recovery');
}

async function makeTopic(): Promise<void> {
  const connection = await connect();
  const topics = [
    { name: TOPIC, numPartitions: PARTITIONS, replicationFactor: 1, assignments: [], configs: [] },
  ];
  const { topics: made } = await connection.request(createTopics, { topics, timeoutMs: 10_000 });
  connection.close();
  if (made[0]?.errorCode !== 0) throw new Error(`cannot create ${TOPIC}: got ${made[0]?.errorCode}`);
}

function bytesIn(path: string): number {
  let bytes = 0;
  for (const entry of readdirSync(path, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).size;
  }
  return bytes;
}
