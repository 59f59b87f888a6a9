import { measureCatchUp } from './catch-up.ts';
import type { Cell } from './cell.ts';
import { measureBoth, measureConsume } from './consume.ts';
import { measureEndToEnd } from './end-to-end.ts';
import type { JavaClient } from './java-client.ts';
import { measureProduce } from './produce.ts';

const KIB = 1024;
const base = { client: 'java', recordBytes: KIB, partitions: 12, acks: 'all' } as const;
const produce = { ...base, work: measureProduce } as const;
const consume = { ...base, work: measureConsume } as const;

/** All of them, in the order in which they run. `recordsPerSecond` is a guess: of the
 * first produce run, and of how much is read in about the time of a run. */
export const CELLS: readonly Cell[] = [
  {
    ...produce,
    name: 'produce-1k-12p',
    about: '1 KiB records, 12 partitions, acks=all',
    recordsPerSecond: 40_000,
  },
  {
    ...produce,
    name: 'produce-1k-12p-acks1',
    about: 'the same with acks=1',
    acks: '1',
    recordsPerSecond: 40_000,
  },
  {
    ...produce,
    name: 'produce-1k-12p-flush',
    about: 'the same where Kafka flushes every message (flush.messages=1)',
    kafkaTopic: { 'flush.messages': '1' },
    recordsPerSecond: 20_000,
  },
  {
    ...produce,
    name: 'produce-1k-1p',
    about: '1 partition',
    partitions: 1,
    recordsPerSecond: 40_000,
  },
  {
    ...produce,
    name: 'produce-1k-1000p',
    about: '1,000 partitions',
    partitions: 1_000,
    recordsPerSecond: 20_000,
  },
  {
    ...produce,
    name: 'produce-100b-12p',
    about: '100 B records',
    recordBytes: 100,
    recordsPerSecond: 250_000,
  },
  {
    ...produce,
    name: 'produce-100k-12p',
    about: '100 KiB records',
    recordBytes: 100 * KIB,
    recordsPerSecond: 800,
  },
  {
    ...consume,
    name: 'consume-1k-12p',
    about: '1 KiB records, 12 partitions',
    recordsPerSecond: 200_000,
  },
  {
    ...consume,
    name: 'consume-1k-1000p',
    about: '1,000 partitions',
    partitions: 1_000,
    recordsPerSecond: 120_000,
  },
  {
    ...consume,
    name: 'consume-100b-12p',
    about: '100 B records',
    recordBytes: 100,
    recordsPerSecond: 800_000,
  },
  {
    ...consume,
    name: 'consume-100k-12p',
    about: '100 KiB records',
    recordBytes: 100 * KIB,
    recordsPerSecond: 3_000,
  },
  {
    ...base,
    name: 'kafkajs-1k-12p',
    about: 'kafkajs, produce and consume',
    client: 'kafkajs',
    recordsPerSecond: 15_000,
    readPerSecond: 80_000,
    work: measureBoth,
  },
  {
    ...base,
    name: 'platformatic-1k-12p',
    about: '@platformatic/kafka, produce and consume',
    client: 'platformatic',
    recordsPerSecond: 30_000,
    readPerSecond: 120_000,
    work: measureBoth,
  },
  {
    ...base,
    name: 'librdkafka-1k-12p',
    about: 'librdkafka (kcat), produce and consume',
    client: 'librdkafka',
    recordsPerSecond: 60_000,
    readPerSecond: 300_000,
    work: measureBoth,
  },
  {
    ...base,
    name: 'end-to-end-1k',
    about: 'one record at a time, 1 partition, acks=all',
    partitions: 1,
    recordsPerSecond: 500,
    // The only client that can.
    work: (run) => measureEndToEnd(run, run.client as JavaClient),
  },
  {
    ...base,
    name: 'catch-up-1k-12p',
    about: 'readers at the end, alone and beside a consumer of cold segments',
    recordsPerSecond: 200_000,
    work: measureCatchUp,
  },
];
