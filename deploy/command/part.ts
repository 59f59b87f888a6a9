import { type ArgsDef, type CommandDef, defineCommand } from 'citty';

import type { Path } from '../config/source.ts';
import { ExpectedError } from '../expected-error.ts';
import { nodeArguments, partEnvironment } from '../parts/environment.ts';
import type { PartName } from '../parts/names.ts';
import { planPart, seams } from '../parts/plan.ts';
import { refuseUnknown, repeated, settingsArgs, settingsOf } from './options.ts';

const DESCRIPTIONS: Readonly<Record<PartName, string>> = {
  broker: 'Run the broker alone (Kafka protocol, durable log)',
  store: 'Run the embedded ClickHouse alone (HTTP interface)',
  collector: 'Run the collector alone (OTLP in, Kafka out)',
  agent: 'Run the agent alone (tails files, reads host metrics, sends OTLP)',
  sink: 'Run the sink alone (Kafka in, ClickHouse out)',
  alerts: 'Run the alert rules alone (Kafka in, notifications out)',
  web: 'Run the web part alone (viewer, query APIs)',
};

/** One part in this process: the way it runs on a machine of its own, against any Kafka and ClickHouse. */
export function partCommand(name: PartName): CommandDef {
  const args: ArgsDef = {
    ...settingsArgs,
    ...(name === 'broker' || name === 'store'
      ? {}
      : name === 'agent'
        ? {
            collector: { type: 'string', description: 'OTLP/HTTP endpoint', valueHint: 'URL' },
            tail: {
              type: 'string',
              description: 'A file to tail; may repeat, may hold * and **',
              valueHint: 'FILE',
            },
          }
        : {
            kafka: {
              type: 'string',
              description: 'Kafka brokers, comma separated',
              valueHint: 'HOST:PORT,…',
            },
          }),
    ...(name === 'sink' || name === 'web'
      ? { clickhouse: { type: 'string', description: 'ClickHouse HTTP address', valueHint: 'URL' } }
      : {}),
  };
  return defineCommand({
    meta: { name, description: DESCRIPTIONS[name] },
    args,
    async run({ args: given, rawArgs }) {
      refuseUnknown(rawArgs, args, name);
      const values = given as Record<string, string | undefined>;
      const options: Array<{ option: string; path: Path; value: unknown }> = [];
      if (values['kafka']) {
        options.push({ option: '--kafka', path: ['kafka', 'brokers'], value: values['kafka'].split(',') });
      }
      if (values['clickhouse']) {
        options.push({ option: '--clickhouse', path: ['clickhouse', 'url'], value: values['clickhouse'] });
      }
      if (values['collector']) {
        options.push({ option: '--collector', path: ['agent', 'collector'], value: values['collector'] });
      }
      const tails = name === 'agent' ? repeated(rawArgs, 'tail') : [];
      if (tails.length > 0) {
        options.push({ option: '--tail', path: ['agent', 'files'], value: tails.map((path) => ({ path })) });
      }
      const loaded = await settingsOf(values, options);
      await reexecWith(name);
      const { config } = await planPart(name, loaded);
      const { telemetry } = loaded.settings;
      const { runAlone } = await import('../process/part-process.ts');
      try {
        await runAlone(
          name,
          config,
          telemetry.enabled
            ? {
                endpoint: telemetry.endpoint ?? seams(loaded).collectorUrl,
                exportIntervalMs: telemetry.exportIntervalMs,
              }
            : undefined,
        );
      } catch (error) {
        throw new ExpectedError((error as Error).message);
      }
    },
  }) as CommandDef;
}

/**
 * Some parts need settings that Node takes only at its start: run the same command again with them, in this same
 * process, so that nothing of this one stays in memory and signals need no passing on.
 */
async function reexecWith(name: PartName): Promise<void> {
  const environment = partEnvironment(name);
  const wanted = nodeArguments(name);
  const missing = Object.entries(environment).some(([key, value]) => process.env[key] !== value);
  if (!missing && wanted.every((argument) => process.execArgv.includes(argument))) return;
  const args = [...process.execArgv, ...wanted, ...process.argv.slice(1)];
  const env = { ...process.env, ...environment };
  process.execve?.(process.execPath, [process.execPath, ...args], env);
  // Where a process cannot become another one.
  const { spawn } = await import('node:child_process');
  const child = spawn(process.execPath, args, { stdio: 'inherit', env });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  const code = await new Promise<number>((resolve) => child.on('exit', (exit) => resolve(exit ?? 1)));
  process.exit(code);
}
