import { styleText } from 'node:util';

import { defineCommand } from 'citty';

import { nodeHost } from '../../broker/host/node-host.ts';
import type { LoadedSettings } from '../config/settings.ts';
import type { Path } from '../config/source.ts';
import { ExpectedError } from '../expected-error.ts';
import { nodeArguments, partEnvironment } from '../parts/environment.ts';
import { partsOf, planPart, seams } from '../parts/plan.ts';
import { formatLogLine } from '../up/log-lines.ts';
import { startSupervisor, type Supervisor } from '../up/supervisor.ts';
import { version } from '../version.ts';
import { refuseUnknown, repeated, settingsArgs, settingsOf } from './options.ts';

/** All of it ends within ten seconds of the signal. */
const STOP_DEADLINE_MS = 8_500;

const args = {
  ...settingsArgs,
  tail: { type: 'string', description: 'A file to tail; may repeat, may hold * and **', valueHint: 'FILE' },
  rules: { type: 'string', description: 'A file of alert rules; may repeat, may hold *', valueHint: 'FILE' },
  webhook: { type: 'string', description: 'Where alerts are told; may repeat', valueHint: 'URL' },
  verbose: { type: 'boolean', description: 'Show everything that the parts say, not only warnings' },
} as const;

export const command = defineCommand({
  meta: {
    name: 'up',
    description: 'Run everything on this machine: broker, collector, agent, sink, ClickHouse, alerts, viewer',
  },
  args,
  async run({ args: given, rawArgs }) {
    refuseUnknown(rawArgs, args, 'up');
    const options: Array<{ option: string; path: Path; value: unknown }> = [];
    const tails = repeated(rawArgs, 'tail');
    if (tails.length > 0) {
      options.push({ option: '--tail', path: ['agent', 'files'], value: tails.map((path) => ({ path })) });
    }
    const rules = repeated(rawArgs, 'rules');
    if (rules.length > 0) options.push({ option: '--rules', path: ['alerts', 'rules'], value: rules });
    const webhooks = repeated(rawArgs, 'webhook');
    if (webhooks.length > 0) {
      options.push({
        option: '--webhook',
        path: ['alerts', 'webhooks'],
        value: webhooks.map((url) => ({ url })),
      });
    }
    await up(await settingsOf(given, options), given.verbose === true);
  },
});

async function up(loaded: LoadedSettings, verbose: boolean): Promise<void> {
  const started = performance.now();
  const { telemetry, dataDir } = loaded.settings;
  await claimDirectory(dataDir);
  const names = partsOf(loaded);
  // Every section is checked before anything starts.
  const plans = await Promise.all(names.map((name) => planPart(name, loaded)));
  const colors = process.stdout.isTTY === true;
  const levelShown = verbose ? 20 : 40;
  const host = nodeHost({
    debug() {},
    info: (fields, message) => show(30, fields, message),
    warn: (fields, message) => show(40, fields, message),
    error: (fields, message) => show(50, fields, message),
  });
  function show(level: number, fields: object, message: string): void {
    const line = { part: 'up', level, timeMs: host.clock.nowMs(), message, fields: { ...fields } };
    if (level >= levelShown) console.log(formatLogLine(line, colors));
  }

  let fatal: string | undefined;
  const stopped = Promise.withResolvers<void>();
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    void supervisor.stop(STOP_DEADLINE_MS).then(stopped.resolve, stopped.reject);
  };
  const supervisor = startSupervisor(
    {
      plans,
      telemetry: telemetry.enabled
        ? {
            endpoint: telemetry.endpoint ?? seams(loaded).collectorUrl,
            exportIntervalMs: telemetry.exportIntervalMs,
          }
        : undefined,
      environment: partEnvironment,
      nodeArguments,
      onLine(line) {
        // A part that cannot start is told once, by its message; its log says the same with a stack.
        if (line.level >= levelShown && line.message !== 'cannot start')
          console.log(formatLogLine(line, colors));
      },
      onGiveUp(name, message) {
        fatal ??= `cannot start ${name}: ${message}`;
        stop();
      },
    },
    host,
  );
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  try {
    await Promise.race([supervisor.ready, stopped.promise]);
    if (!stopping) greet(loaded, supervisor, dataDir, (performance.now() - started) / 1000, colors);
  } catch {
    // told by onGiveUp, which also stops the rest
  }
  await stopped.promise;
  if (fatal) throw new ExpectedError(fatal);
  process.exit(0);
}

/** Taken before anything is read or made there; the kernel gives it back when this process ends, however it ends. */
async function claimDirectory(dataDir: string): Promise<void> {
  const { files } = nodeHost();
  try {
    await files.makeDirectory(dataDir);
  } catch (error) {
    throw new ExpectedError(`cannot use the data directory ${dataDir}: ${(error as Error).message}`);
  }
  if (!(await files.lockDirectory(dataDir))) {
    throw new ExpectedError(
      `cannot start: another millrace is running on ${dataDir} (stop it, or choose another with --data-dir)`,
    );
  }
}

function greet(
  loaded: LoadedSettings,
  supervisor: Supervisor,
  dataDir: string,
  seconds: number,
  colors: boolean,
): void {
  const bold = (text: string): string => (colors ? styleText('bold', text) : text);
  const { brokers, clickhouseUrl, collectorUrl, webUrl } = seams(loaded);
  const files = (loaded.settings.agent['files'] as Array<{ path: string }> | undefined) ?? [];
  console.log(
    [
      '',
      `${bold(`Millrace ${version}`)} is up: ${supervisor.statuses().length} parts, ready in ${seconds.toFixed(1)} s`,
      '',
      `  look       ${bold(webUrl)}`,
      `  send       ${collectorUrl}  (OTLP/HTTP: OTEL_EXPORTER_OTLP_ENDPOINT)`,
      `  consume    ${brokers.join(',')}  (Kafka protocol)`,
      `  query      ${clickhouseUrl}/?query=SELECT+count()+FROM+otel.otel_logs  (ClickHouse HTTP)`,
      `  print      npx millrace logs '{service_name=~".+"}' --follow`,
      `  data       ${dataDir}`,
      ...(files.length > 0 ? [`  tailing    ${files.map(({ path }) => path).join(', ')}`] : []),
      '',
      'Ctrl-C stops it; what was acknowledged stays.',
      '',
    ].join('\n'),
  );
}
