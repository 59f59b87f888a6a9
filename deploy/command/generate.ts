import { defineCommand } from 'citty';

import { nodeHost } from '../../broker/host/node-host.ts';
import { generate } from '../../collector/generate/generate.ts';
import { ExpectedError } from '../expected-error.ts';
import { seams } from '../parts/plan.ts';
import { parseDurationMs } from '../terminal/duration.ts';
import { formatCount } from '../terminal/quantity.ts';
import { refuseUnknown, settingsArgs, settingsOf, wholeNumber } from './options.ts';

const args = {
  rate: { type: 'string', default: '1000', description: 'Records a second', valueHint: 'N' },
  duration: { type: 'string', description: 'How long (default: 10s)', valueHint: 'DURATION' },
  total: { type: 'string', description: 'Records in all, in place of a duration', valueHint: 'N' },
  seed: { type: 'string', default: '1', description: 'The same seed gives the same records', valueHint: 'N' },
  run: {
    type: 'string',
    description: 'Name on every record as generate.run (default: a random one)',
    valueHint: 'NAME',
  },
  senders: { type: 'string', default: '4', description: 'Requests in flight', valueHint: 'N' },
  batch: { type: 'string', default: '200', description: 'Records in a request', valueHint: 'N' },
  grace: {
    type: 'string',
    default: '30s',
    description: 'How long unanswered batches are still tried at the end',
    valueHint: 'DURATION',
  },
  endpoint: {
    type: 'string',
    description: 'OTLP/HTTP endpoint (default: that of the settings)',
    valueHint: 'URL',
  },
  ...settingsArgs,
} as const;

export const command = defineCommand({
  meta: {
    name: 'generate',
    description:
      'Send realistic log records at a rate; prints what became of each as JSON, so that it can be audited',
  },
  args,
  async run({ args: given, rawArgs }) {
    refuseUnknown(rawArgs, args, 'generate');
    if (given.total !== undefined && given.duration !== undefined) {
      throw new ExpectedError('cannot use --total with --duration: want one of them');
    }
    const ratePerSecond = positive(given.rate, 'rate');
    const durationMs = parseDurationMs(given.duration ?? '10s', 'duration');
    const total =
      given.total === undefined
        ? Math.round((ratePerSecond * durationMs) / 1000)
        : positive(given.total, 'total');
    const host = nodeHost();
    const stop = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
    const report = await generate(
      {
        endpoint: (given.endpoint ?? seams(await settingsOf(given)).collectorUrl).replace(/\/$/, ''),
        run: given.run ?? host.random.uuid().slice(0, 8),
        seed: wholeNumber(given.seed, 'seed') ?? 1,
        ratePerSecond,
        total,
        batchRecords: positive(given.batch, 'batch'),
        senders: positive(given.senders, 'senders'),
        graceMs: parseDurationMs(given.grace, 'grace'),
        signal: stop.signal,
        onProgress({ acknowledged, retries, seconds }) {
          const share = Math.floor((acknowledged / total) * 100);
          process.stderr.write(
            `${formatCount(acknowledged)} of ${formatCount(total)} acknowledged (${share} %), ` +
              `${formatCount(Math.round(acknowledged / seconds))}/s, ${formatCount(retries)} retries\n`,
          );
        },
      },
      host,
    );
    console.log(JSON.stringify(report, undefined, 2));
    if (!stop.signal.aborted && report.acknowledged < total) process.exitCode = 1;
  },
});

function positive(text: string, option: string): number {
  const value = wholeNumber(text, option);
  if (!value) throw new ExpectedError(`cannot use --${option}: got ${text}, want a number above 0`);
  return value;
}
