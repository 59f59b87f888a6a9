/** The settings as a user writes them: `millrace.yaml`, environment, options. */
import { homedir } from 'node:os';
import { resolve } from 'node:path';

import { z } from 'zod';

import { kafkaConfig } from '../../broker/client/kafka-config.ts';
import { ExpectedError } from '../expected-error.ts';
import {
  emptySource,
  environmentSource,
  fileSource,
  mergeSources,
  optionSource,
  type Path,
  type Source,
} from './source.ts';

/** A part's own section; checked by that part's schema once derived values are filled in. */
const section = z.record(z.string(), z.unknown());

export const settingsSchema = z.strictObject({
  /** Where everything durable lives. */
  dataDir: z.string().min(1).default('./.millrace'),
  /** Added to every default port: several instances on one machine. */
  portOffset: z.int().min(0).max(50_000).default(0),
  /**
   * Set brokers to use that Kafka in place of the bundled broker. `tls` and `sasl` say how all parts get in there; or
   * into the bundled one, where `broker.listeners` has one of that kind.
   */
  kafka: kafkaConfig.extend({ brokers: kafkaConfig.shape.brokers.unwrap().optional() }).prefault({}),
  /** Set a URL to use that ClickHouse in place of the embedded one. */
  clickhouse: z
    .strictObject({
      url: z.url().optional(),
      database: z.string().min(1).default('otel'),
      username: z.string().min(1).optional(),
      password: z.string().optional(),
    })
    .prefault({}),
  /** Own metrics and logs: where they go, and whether at all. */
  telemetry: z
    .strictObject({
      enabled: z.boolean().default(true),
      /** Default: the collector of this instance. */
      endpoint: z.url().optional(),
      /** Never below one second, never above five: lag and throughput are read from it. */
      exportIntervalMs: z.int().min(1_000).max(5_000).default(5_000),
    })
    .prefault({}),
  broker: section.default({}),
  store: section.default({}),
  collector: section.default({}),
  agent: section.default({}),
  sink: section.default({}),
  alerts: section.default({}),
  web: section.default({}),
});

export type Settings = z.infer<typeof settingsSchema>;

export interface LoadedSettings {
  readonly settings: Settings;
  readonly source: Source;
}

export interface SettingsInput {
  /** A path given by `--config`; otherwise `./millrace.yaml` is read when it is there. */
  readonly file?: string | undefined;
  readonly options?: ReadonlyArray<{ option: string; path: Path; value: unknown }>;
  readonly env?: NodeJS.ProcessEnv;
}

/** @throws ExpectedError that names file:line:column, environment variable or option */
export async function loadSettings({
  file,
  options = [],
  env = process.env,
}: SettingsInput): Promise<LoadedSettings> {
  const source = mergeSources([
    await settingsFile(file, env),
    environmentSource(env, new Set(Object.keys(settingsSchema.shape))),
    optionSource(options),
  ]);
  const settings = check(settingsSchema, source.values, source, []);
  return { settings: { ...settings, dataDir: resolve(expandHome(settings.dataDir)) }, source };
}

async function settingsFile(file: string | undefined, env: NodeJS.ProcessEnv): Promise<Source> {
  if (file !== undefined) return fileSource(file, env);
  const { existsSync } = await import('node:fs');
  return existsSync('millrace.yaml') ? fileSource('millrace.yaml', env) : emptySource;
}

/** Checks values against a schema; all problems in one error, each with its place. `prefix` is where they stand in the settings. */
export function check<T extends z.ZodType>(
  schema: T,
  values: unknown,
  source: Source,
  prefix: Path,
): z.infer<T> {
  const result = schema.safeParse(values);
  if (result.success) return result.data;
  const lines = result.error.issues.flatMap((issue) => problems(issue, source, prefix));
  throw new ExpectedError(lines.join('\n'));
}

function problems(issue: z.core.$ZodIssue, source: Source, prefix: Path): string[] {
  const path = [...prefix, ...(issue.path as Array<string | number>)];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map(
      (key) => `${source.place([...path, key], true)}: unknown setting ${[...path, key].join('.')}`,
    );
  }
  return [`${source.place(path)}: cannot use ${path.join('.')}: ${lowerFirst(issue.message)}`];
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function expandHome(path: string): string {
  return path === '~' || path.startsWith('~/') ? homedir() + path.slice(1) : path;
}
