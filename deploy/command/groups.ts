import { defineCommand } from 'citty';

import { nodeHost } from '../../broker/host/node-host.ts';
import { parseSamples } from '../../dashboards/viewer/status/metrics-text.ts';
import { ExpectedError } from '../expected-error.ts';
import { seams } from '../parts/plan.ts';
import { formatBytes, formatCount, formatSeconds } from '../terminal/quantity.ts';
import { formatTable } from '../terminal/table.ts';
import {
  type GroupReport,
  type LagFigures,
  REPORT_METRICS,
  ReaderSamples,
  reportGroups,
} from './group-report.ts';
import { kafkaArgs, withKafka } from './kafka.ts';
import { refuseUnknown, type SettingsArgs, settingsArgs, settingsOf } from './options.ts';

const { kafka } = kafkaArgs;
const args = {
  ...settingsArgs,
  kafka,
  group: { type: 'string', description: 'One group, by partition, with who reads it', valueHint: 'GROUP' },
  json: { type: 'boolean', description: 'Everything that is known, as JSON' },
  watch: { type: 'boolean', description: 'Again every two seconds, until interrupted' },
} as const;

const WATCH_MS = 2_000;
/** Our own metrics are near; without them there is less to say, but it is said at once. */
const METRICS_TIMEOUT_MS = 1_500;
const UNKNOWN = 'unknown';

export const command = defineCommand({
  meta: {
    name: 'groups',
    description: 'How far consumer groups are behind: records, bytes, time, trend, and what expires unread',
  },
  args,
  async run({ args: given, rawArgs }) {
    refuseUnknown(rawArgs, args, 'groups');
    const { timers, clock } = nodeHost();
    await withKafka(given, async (client) => {
      const admin = await client.admin();
      for (;;) {
        const samples = new ReaderSamples(await ownSamples(given));
        const reports = await reportGroups(admin, samples, clock.nowMs(), given.group);
        if (given.group !== undefined && reports.length === 0) {
          throw new ExpectedError(`there is no group ${given.group}`);
        }
        const text = given.json
          ? jsonOf(reports)
          : given.group
            ? detailsOf(reports[0]!)
            : overviewOf(reports);
        // Clears the screen and goes to its top.
        if (given.watch && !given.json) process.stdout.write('\u001b[2J\u001b[H');
        console.log(text);
        if (!given.watch) return;
        await timers.sleep(WATCH_MS);
      }
    });
  },
});

/** Of our own broker, by the web part that runs beside it; none for a Kafka that was given by its address. */
async function ownSamples(given: SettingsArgs & { kafka?: string | undefined }) {
  if (given.kafka !== undefined) return [];
  const { webUrl } = seams(await settingsOf(given));
  try {
    const answer = await fetch(`${webUrl}/metrics`, { signal: AbortSignal.timeout(METRICS_TIMEOUT_MS) });
    return answer.ok ? parseSamples(await answer.text(), REPORT_METRICS) : [];
  } catch {
    return [];
  }
}

export function overviewOf(reports: readonly GroupReport[]): string {
  const rows = reports.flatMap((report) => {
    const about = [report.group, stateText(report), String(report.members)];
    if (report.topics.length === 0) return [[...about, '-', '-', '-', '-', '-', '-']];
    return report.topics.map((topic) => [...about, topic.topic, ...figureTexts(topic)]);
  });
  const head = ['GROUP', 'STATE', 'MEMBERS', 'TOPIC', 'LAG', 'BYTES', 'BEHIND', 'TREND', 'EXPIRES IN'];
  return formatTable(head, rows, 4) + lostText(reports);
}

export function detailsOf(report: GroupReport): string {
  const rows = report.topics.flatMap(({ partitions }) =>
    partitions.map((one) => [
      one.topic,
      String(one.partition),
      one.clientId ?? '-',
      one.host?.replace(/^\//, '') ?? '-',
      one.memberId ?? '-',
      formatCount(one.position),
      formatCount(one.end),
      ...figureTexts(one),
    ]),
  );
  const head = ['TOPIC', 'PARTITION', 'CLIENT', 'HOST', 'MEMBER', 'POSITION', 'END'];
  const columns = [...head, 'LAG', 'BYTES', 'BEHIND', 'TREND', 'EXPIRES IN'];
  const members = report.members === 1 ? '1 member' : `${report.members} members`;
  const about = `${report.group}: ${report.type} group, ${stateText(report)}, ${members}`;
  if (rows.length === 0) return `${about}\nIt has no position in any topic.`;
  return `${about}\n${formatTable(columns, rows, 5)}${lostText([report])}`;
}

/** Infinity is no JSON: what never expires says so. */
function jsonOf(reports: readonly GroupReport[]): string {
  const plain = (_: string, value: unknown): unknown =>
    value === Infinity ? 'never' : value === undefined ? null : value;
  return JSON.stringify(reports, plain, 2);
}

function stateText({ state, emptySeconds }: GroupReport): string {
  return emptySeconds === undefined ? state : `${state} for ${formatSeconds(emptySeconds)}`;
}

function figureTexts({ records, bytes, seconds, trend, zeroInSeconds, expirySeconds }: LagFigures): string[] {
  const known = (value: number | undefined, text: (value: number) => string): string =>
    value === undefined ? UNKNOWN : text(value);
  const words = (trend ?? UNKNOWN).replaceAll('-', ' ');
  return [
    known(records, formatCount),
    known(bytes, formatBytes),
    known(seconds, formatSeconds),
    trend === 'catching-up' && zeroInSeconds !== undefined
      ? `${words}, done in ${formatSeconds(zeroInSeconds)}`
      : words,
    records === 0
      ? '-'
      : known(expirySeconds, (value) => (value === Infinity ? 'never' : formatSeconds(value))),
  ];
}

function lostText(reports: readonly GroupReport[]): string {
  const lost = reports.flatMap(({ group, topics }) =>
    topics
      .filter(({ lostOffsets }) => lostOffsets > 0)
      .map(({ topic, lostOffsets }) => `${group} will never read ${formatCount(lostOffsets)} of ${topic}`),
  );
  return lost.length === 0 ? '' : `\n\nDeleted unread: ${lost.join('; ')}.`;
}
