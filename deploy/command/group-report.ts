/**
 * What can be told of groups and of how far they are behind: by requests that any Kafka answers, and by the metrics
 * of our broker where they are at hand. What neither tells is undefined, never 0.
 */
import type { Admin, GroupDescription } from '../../broker/client/port.ts';
import { endsOf, lagsOf, type PartitionLag } from '../../dashboards/query/kafka-routes.ts';
import type { Sample } from '../../dashboards/viewer/status/metrics-text.ts';

/** Of one partition, or of one topic over its partitions. */
export interface LagFigures {
  readonly records: number | undefined;
  readonly bytes: number | undefined;
  readonly seconds: number | undefined;
  /** `falling-behind` and the like; only our broker follows a lag. */
  readonly trend: string | undefined;
  /** Until nothing is unread, while it catches up. */
  readonly zeroInSeconds: number | undefined;
  /** Until retention takes the oldest unread record; Infinity: never, or nothing is unread. */
  readonly expirySeconds: number | undefined;
  /** Offsets that retention, or an administrator, took before they were read. */
  readonly lostOffsets: number;
}

export interface PartitionReport extends LagFigures {
  readonly topic: string;
  readonly partition: number;
  readonly position: number;
  readonly end: number;
  readonly memberId: string | undefined;
  readonly clientId: string | undefined;
  readonly host: string | undefined;
}

export interface TopicReport extends LagFigures {
  readonly topic: string;
  readonly partitions: readonly PartitionReport[];
}

export interface GroupReport {
  readonly group: string;
  readonly type: GroupDescription['type'];
  readonly state: string;
  readonly members: number;
  /** For how long it has had none. */
  readonly emptySeconds: number | undefined;
  readonly topics: readonly TopicReport[];
}

/** Metrics that the report takes something from. */
export const REPORT_METRICS: ReadonlySet<string> = new Set([
  'kafka_consumergroup_lag',
  'kafka_consumergroup_lag_sum',
  'kafka_consumergroup_lag_bytes',
  'kafka_consumergroup_lag_seconds',
  'kafka_consumergroup_unread_expiry_seconds',
  'kafka_consumergroup_trend',
  'kafka_consumergroup_catch_up_seconds',
  'kafka_consumergroup_empty_seconds',
  'kafka_consumergroup_partition_lag_bytes',
  'kafka_consumergroup_partition_lag_seconds',
  'kafka_consumergroup_partition_unread_expiry_seconds',
  'kafka_consumergroup_partition_trend',
]);

/** Samples by name, group, topic and partition. */
export class ReaderSamples {
  readonly #byKey = new Map<string, Sample>();

  constructor(samples: readonly Sample[]) {
    for (const sample of samples) {
      const { group, topic, partition } = sample.labels;
      this.#byKey.set(keyOf(sample.name, group, topic, partition), sample);
    }
  }

  value(name: string, group: string, topic?: string, partition?: number): number | undefined {
    return this.#byKey.get(keyOf(name, group, topic, partition?.toString()))?.value;
  }

  trend(name: string, group: string, topic: string, partition?: number): string | undefined {
    return this.#byKey.get(keyOf(name, group, topic, partition?.toString()))?.labels['trend'];
  }
}

function keyOf(...parts: ReadonlyArray<string | undefined>): string {
  return JSON.stringify(parts);
}

export async function reportGroups(
  admin: Admin,
  samples: ReaderSamples,
  nowMs: number,
  only?: string,
): Promise<GroupReport[]> {
  const groups = (await admin.groups()).filter(({ groupId }) => only === undefined || groupId === only);
  const ends = endsOf(admin);
  const retention = retentionOf(admin);
  const reports: GroupReport[] = [];
  for (const one of groups.sort((a, b) => (a.groupId < b.groupId ? -1 : 1))) {
    const topics: TopicReport[] = [];
    const byTopic = Map.groupBy(await lagsOf(admin, one, ends), ({ topic }) => topic);
    for (const [topic, lags] of byTopic) {
      const starts = await ends(topic);
      const partitions = await Promise.all(
        lags.map((lag) =>
          reportPartition(admin, one, lag, starts.get(lag.partition)?.start, { samples, retention, nowMs }),
        ),
      );
      topics.push(reportTopic(one.groupId, topic, partitions, samples));
    }
    reports.push({
      group: one.groupId,
      type: one.type,
      state: one.state,
      members: one.members.length,
      emptySeconds: samples.value('kafka_consumergroup_empty_seconds', one.groupId),
      topics,
    });
  }
  return reports;
}

async function reportPartition(
  admin: Admin,
  group: GroupDescription,
  { topic, partition, committed, end, lag }: PartitionLag,
  start: number | undefined,
  known: {
    readonly samples: ReaderSamples;
    readonly retention: (topic: string) => Promise<number | undefined>;
    readonly nowMs: number;
  },
): Promise<PartitionReport> {
  const { groupId } = group;
  const of = (name: string): number | undefined =>
    known.samples.value(`kafka_consumergroup_${name}`, groupId, topic, partition);
  const member = group.members.find(({ assigned }) =>
    assigned.some((one) => one.topic === topic && one.partition === partition),
  );
  const measured = of('lag');
  // What the wire tells is of now, the metrics are some seconds old: they count where offsets are no records.
  const records = committed > end ? undefined : lag === 0 ? 0 : measured === 0 ? 0 : (measured ?? lag);
  const place = {
    topic,
    partition,
    position: committed,
    end,
    memberId: member?.memberId,
    clientId: member?.clientId,
    host: member?.host,
    lostOffsets: start === undefined ? 0 : Math.max(0, start - committed),
    records,
  };
  if (records === 0) {
    const nothing = { bytes: 0, seconds: 0, zeroInSeconds: 0, expirySeconds: Infinity };
    return { ...place, ...nothing, trend: measured === undefined ? undefined : 'caught-up' };
  }
  const trend = known.samples.trend('kafka_consumergroup_partition_trend', groupId, topic, partition);
  const bytes = of('partition_lag_bytes');
  if (records === undefined || of('partition_lag_seconds') !== undefined) {
    return {
      ...place,
      bytes,
      seconds: of('partition_lag_seconds'),
      trend,
      zeroInSeconds: undefined,
      expirySeconds: of('partition_unread_expiry_seconds') ?? (records === undefined ? undefined : Infinity),
    };
  }
  const offset = Math.max(committed, start ?? committed);
  const oldestMs = await admin.timestampFrom({ topic, partition, offset }).catch(() => undefined);
  const retentionMs = await known.retention(topic);
  const ageMs = oldestMs === undefined ? undefined : Math.max(0, known.nowMs - oldestMs);
  return {
    ...place,
    bytes,
    seconds: ageMs === undefined ? undefined : ageMs / 1_000,
    trend,
    zeroInSeconds: undefined,
    // By time alone: how fast the log fills is not known from one look.
    expirySeconds:
      retentionMs === undefined || ageMs === undefined ? undefined : Math.max(0, retentionMs - ageMs) / 1_000,
  };
}

function reportTopic(
  group: string,
  topic: string,
  partitions: readonly PartitionReport[],
  samples: ReaderSamples,
): TopicReport {
  const of = (name: string): number | undefined => samples.value(`kafka_consumergroup_${name}`, group, topic);
  const most = (values: ReadonlyArray<number | undefined>, pick: (...all: number[]) => number) =>
    values.includes(undefined) ? undefined : pick(...(values as number[]));
  const sum = (...all: number[]): number => all.reduce((total, one) => total + one, 0);
  const records = most(
    partitions.map((one) => one.records),
    sum,
  );
  return {
    topic,
    partitions,
    records,
    bytes: most(
      partitions.map((one) => one.bytes),
      sum,
    ),
    seconds: most(
      partitions.map((one) => one.seconds),
      Math.max,
    ),
    trend: samples.trend('kafka_consumergroup_trend', group, topic),
    zeroInSeconds: records === 0 ? 0 : of('catch_up_seconds'),
    expirySeconds: most(
      partitions.map((one) => one.expirySeconds),
      Math.min,
    ),
    lostOffsets: partitions.reduce((total, one) => total + one.lostOffsets, 0),
  };
}

/** By time, of a topic: asked once. Infinity: none; undefined: not told. */
function retentionOf(admin: Admin): (topic: string) => Promise<number | undefined> {
  const known = new Map<string, Promise<number | undefined>>();
  return (topic) => {
    const before = known.get(topic);
    if (before) return before;
    const asked = admin.topicConfigs(topic).then(
      (configs) => {
        if (!(configs['cleanup.policy'] ?? 'delete').includes('delete')) return Infinity;
        const retentionMs = Number(configs['retention.ms'] ?? Number.NaN);
        if (Number.isNaN(retentionMs)) return undefined;
        return retentionMs < 0 ? Infinity : retentionMs;
      },
      () => undefined,
    );
    known.set(topic, asked);
    return asked;
  };
}
