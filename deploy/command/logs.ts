import { setTimeout as sleep } from 'node:timers/promises';

import { defineCommand } from 'citty';

import { type LogsOutput, runLogs } from '../../dashboards/query/logs-command.ts';
import { ExpectedError } from '../expected-error.ts';
import { seams } from '../parts/plan.ts';
import { parseDurationMs } from '../terminal/duration.ts';
import { refuseUnknown, settingsArgs, settingsOf, wholeNumber } from './options.ts';

const OUTPUTS: readonly string[] = ['default', 'raw', 'jsonl'];

const args = {
  query: {
    type: 'positional',
    required: true,
    description: `LogQL, for example '{service_name="checkout"} |= "error"'`,
  },
  since: {
    type: 'string',
    default: '1h',
    description: 'How far back: 30s, 15m, 1h30m, 7d',
    valueHint: 'DURATION',
  },
  follow: { type: 'boolean', alias: 'f', description: 'Go on with what arrives' },
  limit: { type: 'string', description: 'The newest N lines only', valueHint: 'N' },
  output: {
    type: 'string',
    default: 'default',
    description: 'default, raw (the lines alone) or jsonl',
    valueHint: 'FORM',
  },
  url: { type: 'string', description: 'The web part (default: that of the settings)', valueHint: 'URL' },
  ...settingsArgs,
} as const;

export const command = defineCommand({
  meta: { name: 'logs', description: 'Print log lines' },
  args,
  async run({ args: given, rawArgs }) {
    refuseUnknown(rawArgs, args, 'logs');
    if (!OUTPUTS.includes(given.output)) {
      throw new ExpectedError(`cannot use --output: got ${given.output}, want ${OUTPUTS.join(', ')}`);
    }
    const url = given.url ?? seams(await settingsOf(given)).webUrl;
    const stop = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
    // A reader that has seen enough (`| head`) ends us, quietly.
    process.stdout.on('error', () => process.exit(0));
    try {
      await runLogs({
        url,
        query: given.query,
        sinceMs: parseDurationMs(given.since, 'since'),
        follow: given.follow === true,
        limit: wholeNumber(given.limit, 'limit'),
        output: given.output as LogsOutput,
        write: (text) => new Promise<void>((resolve) => void process.stdout.write(text, () => resolve())),
        warn: (text) => console.error(text),
        nowMs: () => Date.now(),
        sleep: async (delayMs, signal) => {
          await sleep(delayMs, undefined, signal ? { signal } : undefined).catch(() => undefined);
        },
        signal: stop.signal,
      });
    } catch (error) {
      if (stop.signal.aborted) return;
      throw error instanceof ExpectedError ? error : new ExpectedError((error as Error).message);
    }
  },
});
