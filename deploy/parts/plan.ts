/**
 * From settings to the configuration of each part: fills in what one part must know of another (addresses,
 * directories), then lets the part's own schema check the whole.
 */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { z } from 'zod';

import { WRITER, writerPassword } from '../../sinks/store/credentials.ts';
import { check, type LoadedSettings } from '../config/settings.ts';
import { mergeValues } from '../config/source.ts';
import { PART_NAMES, type PartName } from './names.ts';

export const PORTS = { kafka: 9092, otlpHttp: 4318, clickhouse: 8123, web: 3100 } as const;

/** A process that plans one part loads nothing of the others. */
const SCHEMAS: Readonly<Record<PartName, () => Promise<z.ZodType>>> = {
  broker: async () => (await import('../../broker/config.ts')).brokerConfig,
  store: async () => (await import('../../sinks/store/config.ts')).storeConfig,
  collector: async () => (await import('../../collector/config.ts')).collectorConfig,
  sink: async () => (await import('../../sinks/config.ts')).sinkConfig,
  alerts: async () => (await import('../../sinks/alerts/config.ts')).alertsConfig,
  web: async () => (await import('../../dashboards/config.ts')).webConfig,
  agent: async () => (await import('../../collector/agent/config.ts')).agentConfig,
};

export interface PartPlan {
  readonly name: PartName;
  /** As the part's schema gives it. */
  readonly config: unknown;
}

/** Where each seam is reached, by this instance's own parts. */
export interface Seams {
  readonly brokers: readonly string[];
  readonly clickhouseUrl: string;
  readonly collectorUrl: string;
  readonly webUrl: string;
}

export function seams({ settings }: LoadedSettings): Seams {
  const port = (section: Record<string, unknown>, standard: number): number =>
    typeof section['port'] === 'number' ? section['port'] : standard + settings.portOffset;
  const otlp = (settings.collector['otlpHttp'] ?? {}) as Record<string, unknown>;
  return {
    brokers: settings.kafka.brokers ?? [
      `localhost:${listenerPort(settings) ?? port(settings.broker, PORTS.kafka)}`,
    ],
    clickhouseUrl: settings.clickhouse.url ?? `http://localhost:${port(settings.store, PORTS.clickhouse)}`,
    collectorUrl: `http://localhost:${port(otlp, PORTS.otlpHttp)}`,
    webUrl: `http://localhost:${port(settings.web, PORTS.web)}`,
  };
}

/**
 * Of the first listener of the bundled broker that takes what our parts speak; undefined without one. The broker's own
 * schema checks its listeners later, so anything can stand there yet.
 */
function listenerPort({ broker, kafka }: LoadedSettings['settings']): number | undefined {
  const protocol = `${kafka.sasl ? 'SASL_' : ''}${kafka.tls ? 'SSL' : 'PLAINTEXT'}`;
  const listeners: unknown = broker['listeners'];
  if (!Array.isArray(listeners)) return undefined;
  for (const listener of listeners as Array<Record<string, unknown> | null>) {
    const port = listener?.['port'];
    if ((listener?.['protocol'] ?? 'PLAINTEXT') === protocol && typeof port === 'number') return port;
  }
  return undefined;
}

/** The parts that `up` runs: an address of somebody else's Kafka or ClickHouse leaves the bundled one out. */
export function partsOf({ settings }: LoadedSettings): PartName[] {
  return PART_NAMES.filter(
    (name) =>
      !(name === 'broker' && settings.kafka.brokers) && !(name === 'store' && settings.clickhouse.url),
  );
}

/** @throws ExpectedError with the place of each problem */
export async function planPart(name: PartName, loaded: LoadedSettings): Promise<PartPlan> {
  const values = mergeValues(await derived(name, loaded), loaded.settings[name]);
  return { name, config: check(await SCHEMAS[name](), values, loaded.source, [name]) };
}

async function derived(name: PartName, loaded: LoadedSettings): Promise<Record<string, unknown>> {
  const { settings } = loaded;
  const { tls, sasl } = settings.kafka;
  const { brokers, clickhouseUrl, collectorUrl, webUrl } = seams(loaded);
  const at = (standard: number): number => standard + settings.portOffset;
  const kafka = { brokers, ...(tls ? { tls } : {}), ...(sasl ? { sasl } : {}) };
  const storeDir = join(settings.dataDir, 'store');
  switch (name) {
    case 'broker':
      return { dataDir: join(settings.dataDir, 'broker'), port: at(PORTS.kafka) };
    case 'store':
      return { dataDir: storeDir, port: at(PORTS.clickhouse) };
    case 'collector':
      return { kafka, otlpHttp: { port: at(PORTS.otlpHttp) } };
    case 'sink':
      return { kafka, clickhouse: await clickhouse('write') };
    case 'alerts':
      return { kafka, externalUrl: webUrl };
    case 'web':
      return {
        kafka,
        clickhouse: await clickhouse('read'),
        port: at(PORTS.web),
        // In the build the bundle lies beside the compiled modules.
        viewerDir: fileURLToPath(new URL('../../dashboards/viewer/dist', import.meta.url)),
      };
    case 'agent':
      return { dataDir: join(settings.dataDir, 'agent'), collector: collectorUrl, hostName: hostname() };
  }

  async function clickhouse(access: 'read' | 'write'): Promise<Record<string, unknown>> {
    const { url, database, username, password } = settings.clickhouse;
    // The embedded store lets everybody on this machine read, and one user write, whose password is in its directory.
    const writer =
      url === undefined && access === 'write' && username === undefined
        ? { username: WRITER, password: await writerPassword(storeDir) }
        : {};
    return {
      url: clickhouseUrl,
      database,
      ...writer,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
    };
  }
}
