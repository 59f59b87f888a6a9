import { resolve } from 'node:path';
import { once } from 'node:events';

import { type ArgsDef, defineCommand } from 'citty';

import { directoryIsLocked } from '../../broker/host/directory-lock.ts';
import { nodeFiles } from '../../broker/host/node-files.ts';
import { formatFields } from '../../broker/log/inspect/batch-line.ts';
import { CannotInspect, findDataDirectory } from '../../broker/log/inspect/data-directory.ts';
import { type DumpLine, dumpFile, dumpPartition } from '../../broker/log/inspect/dump.ts';
import { formatFinding, type Report } from '../../broker/log/inspect/finding.ts';
import { verifyLog } from '../../broker/log/inspect/verify.ts';
import { ExpectedError } from '../expected-error.ts';
import { formatCount } from '../terminal/quantity.ts';
import { refuseUnknown, settingsArgs, settingsOf, wholeNumber } from './options.ts';

const RUNNING =
  'a broker is running on this directory: its newest entries may look torn, and files may go meanwhile';

/** Exit codes: what a script wants to tell apart. */
const DAMAGED = 1;
const CANNOT_LOOK = 2;

const common = {
  config: settingsArgs.config,
  'data-dir': settingsArgs['data-dir'],
  json: { type: 'boolean', description: 'Print JSON' },
} as const satisfies ArgsDef;

const verifyArgs = {
  ...common,
  topic: { type: 'string', description: 'Segments of this topic only', valueHint: 'NAME' },
  partition: { type: 'string', description: 'Segments of this partition only', valueHint: 'N' },
} as const satisfies ArgsDef;

const verify = defineCommand({
  meta: {
    name: 'verify',
    description:
      'Check every byte of a data directory, without changing any. Exits with 0: clean, 1: damage, 2: cannot look',
  },
  args: verifyArgs,
  async run({ args: given, rawArgs }) {
    await cannotLookIs2(async () => {
      refuseUnknown(rawArgs, verifyArgs, 'log verify');
      const partition = wholeNumber(given.partition, 'partition');
      if (partition !== undefined && given.topic === undefined) {
        throw new ExpectedError('cannot use --partition: got no --topic, want one');
      }
      const { settings } = await settingsOf(given);
      const started = performance.now();
      const { path, report } = await verifyLog(nodeFiles, {
        path: settings.dataDir,
        topic: given.topic,
        partition,
        onProgress: progress(started),
      });
      const seconds = (performance.now() - started) / 1000;
      // Asked at the end: it may have been started meanwhile.
      const isRunning = await directoryIsLocked(path);
      clearProgress();
      if (isRunning) console.error(RUNNING);
      if (given.json === true) console.log(asJson(path, isRunning, report, seconds));
      else {
        for (const finding of report.findings) console.log(`${formatFinding(finding)}\n`);
        console.log(summary(path, report, seconds));
      }
      if (report.counts().damage > 0) process.exitCode = DAMAGED;
    });
  },
});

const dumpArgs = {
  files: {
    type: 'positional',
    required: false,
    description: 'Segments, indexes, write-ahead log files or small files',
  },
  ...common,
  topic: { type: 'string', description: 'In place of files: a topic', valueHint: 'NAME' },
  partition: { type: 'string', description: 'and its partition (default: 0)', valueHint: 'N' },
  from: { type: 'string', description: 'First offset', valueHint: 'OFFSET' },
  to: { type: 'string', description: 'Last offset', valueHint: 'OFFSET' },
  records: { type: 'boolean', description: 'Keys, values and headers too, decompressed' },
  bytes: {
    type: 'string',
    description: 'What is shown of a key or value (default: 1000)',
    valueHint: 'N',
  },
  limit: { type: 'string', description: 'So many batches only', valueHint: 'N' },
} as const satisfies ArgsDef;

const dump = defineCommand({
  meta: {
    name: 'dump',
    description: 'Print what is in files of a data directory, a line a batch, as kafka-dump-log.sh does',
  },
  args: dumpArgs,
  async run({ args: given, rawArgs }) {
    await cannotLookIs2(async () => {
      refuseUnknown(rawArgs, dumpArgs, 'log dump');
      const paths = given._;
      if ((paths.length === 0) === (given.topic === undefined)) {
        throw new ExpectedError('cannot dump: want FILE… or --topic NAME (see `millrace log dump --help`)');
      }
      const plan = {
        records: given.records === true,
        limit: wholeNumber(given.limit, 'limit'),
        from: wholeNumber(given.from, 'from'),
        to: wholeNumber(given.to, 'to'),
        ...(given.bytes === undefined ? {} : { bytesMax: wholeNumber(given.bytes, 'bytes')! }),
      };
      // A reader that has seen enough (`| head`) ends us, quietly.
      process.stdout.on('error', () => process.exit(0));
      if (given.topic === undefined) {
        for (const path of paths) await print(dumpFile(nodeFiles, resolve(path), plan), given.json === true);
        return;
      }
      const { settings } = await settingsOf(given);
      const path = await findDataDirectory(nodeFiles, settings.dataDir);
      if (await directoryIsLocked(path)) console.error(RUNNING);
      const partition = wholeNumber(given.partition, 'partition') ?? 0;
      const place = { path, topic: given.topic, partition };
      await print(dumpPartition(nodeFiles, place, plan), given.json === true);
    });
  },
});

export const command = defineCommand({
  meta: { name: 'log', description: "Look into the broker's data directory, read-only: verify, dump" },
  subCommands: { verify, dump },
  run({ rawArgs }) {
    if (rawArgs[0] !== 'verify' && rawArgs[0] !== 'dump') {
      throw new ExpectedError(
        'cannot run log: want `millrace log verify` or `millrace log dump FILE…` (log lines: `millrace logs`)',
      );
    }
  },
});

async function print(lines: AsyncGenerator<DumpLine>, json: boolean): Promise<void> {
  for await (const { kind, fields } of lines) {
    const text = json ? JSON.stringify({ kind, ...fields }) : asText(kind, fields);
    if (!process.stdout.write(`${text}\n`)) await once(process.stdout, 'drain');
  }
}

function asText(kind: DumpLine['kind'], fields: DumpLine['fields']): string {
  if (kind === 'file')
    return `Dumping ${String(fields['file'])} (${formatCount(Number(fields['size']))} bytes)`;
  if (kind === 'text') return String(fields['content']);
  if (kind === 'record') return `| ${formatFields(fields)}`;
  return kind === 'broken' ? `! ${formatFields(fields)}` : formatFields(fields);
}

async function cannotLookIs2(look: () => Promise<void>): Promise<void> {
  try {
    await look();
  } catch (error) {
    clearProgress();
    const { code } = error as NodeJS.ErrnoException;
    const isExpected = error instanceof CannotInspect || error instanceof ExpectedError || code !== undefined;
    if (!isExpected) throw error;
    console.error((error as Error).message);
    process.exitCode = CANNOT_LOOK;
  }
}

/** On a terminal, five times a second: how far, how fast. */
function progress(started: number): (doneBytes: number, totalBytes: number) => void {
  let shownAt = started;
  return (doneBytes, totalBytes) => {
    const now = performance.now();
    if (!process.stderr.isTTY || now - shownAt < 200) return;
    shownAt = now;
    const share = Math.min(100, Math.floor((doneBytes / Math.max(1, totalBytes)) * 100));
    const rate = doneBytes / 1e9 / ((now - started) / 1000);
    process.stderr.write(
      `\r\x1b[K${gigabytes(doneBytes)} of ${gigabytes(totalBytes)} (${share} %), ${rate.toFixed(2)} GB/s`,
    );
  };
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(2)} GB`;
}

function summary(path: string, report: Report, seconds: number): string {
  const { files, bytes, batches, records, dropped } = report;
  const { damage, torn, rebuilt, note } = report.counts();
  const looked =
    `${path}: ${formatCount(files)} files, ${formatCount(bytes)} bytes, ${formatCount(batches)} batches, ` +
    `${formatCount(records)} records in ${seconds.toFixed(1)} s (${(bytes / 1e9 / Math.max(seconds, 1e-3)).toFixed(2)} GB/s)`;
  const more = dropped > 0 ? `, and ${formatCount(dropped)} more findings` : '';
  const found =
    damage + torn + rebuilt + note === 0
      ? 'Nothing is wrong.'
      : `${damage} damaged, ${torn} torn tails, ${rebuilt} made again by themselves, ${note} notes${more}.`;
  return `${looked}\n${found}`;
}

function asJson(path: string, isRunning: boolean, report: Report, seconds: number): string {
  const { findings, dropped, files, bytes, batches, records } = report;
  const summed = { files, bytes, batches, records, seconds, dropped, ...report.counts() };
  return JSON.stringify(
    { directory: path, brokerIsRunning: isRunning, findings, summary: summed },
    undefined,
    2,
  );
}
