/**
 * What administrators have set over the wire, besides the settings of topics: of brokers (the empty name stands for all
 * of them), of groups, and the subscriptions to clients' metrics. Durable first, true after.
 */
import { z } from 'zod';

import type { BrokerConfig } from '../config.ts';
import type { Files } from '../host/files.ts';
import { type Document, openDocument } from '../state/document.ts';
import type { ErrorName } from '../wire/errors.ts';
import { BROKER_CONFIGS } from './broker-configs.ts';
import { type Configs } from './definition.ts';

const resources = z.record(z.string(), z.record(z.string(), z.string()));
const schema = z.strictObject({ brokers: resources, groups: resources, clientMetrics: resources });
type Content = z.infer<typeof schema>;

export type Kind = keyof Content;

/** Every change writes the whole file: what is kept of each kind has to stay small. */
export const RESOURCES_MAX: Readonly<Record<Kind, number>> = {
  brokers: 1_000,
  groups: 10_000,
  clientMetrics: 1_000,
};
/** The name that stands for all brokers. */
export const ALL_BROKERS = '';

/** Thrown within a change: nothing is changed. */
export class ConfigRefusal extends Error {
  override readonly name = 'ConfigRefusal';
  readonly error: ErrorName;

  constructor(error: ErrorName, message: string) {
    super(message);
    this.error = error;
  }
}

export class AdminConfigs {
  private readonly document: Document<Content>;
  private readonly nodeName: string;
  private readonly listeners = new Set<() => void>();
  private current: Configs;

  constructor(document: Document<Content>, nodeId: number) {
    this.document = document;
    this.nodeName = String(nodeId);
    this.current = this.merged();
  }

  /** What this resource itself was given. */
  of(kind: Kind, name: string): Configs {
    const resources = this.document.value[kind];
    return Object.hasOwn(resources, name) ? resources[name]! : {};
  }

  names(kind: Kind): string[] {
    return Object.keys(this.document.value[kind]).sort();
  }

  /** What holds for this broker over its configuration file: its own before those of all brokers. */
  get broker(): Configs {
    return this.current;
  }

  /**
   * Replaces a resource's settings; one without any is forgotten. Durable when it resolves.
   * @throws ConfigRefusal from `change`, or when there are too many resources
   */
  async change(kind: Kind, name: string, change: (now: Configs) => Configs): Promise<void> {
    await this.document.update((now) => {
      const { [name]: own = {}, ...others } = now[kind];
      const next = change(own);
      if (Object.keys(next).length === 0) return { ...now, [kind]: others };
      if (Object.keys(others).length >= RESOURCES_MAX[kind]) {
        throw new ConfigRefusal(
          'POLICY_VIOLATION',
          `cannot set ${name.slice(0, 300)}: want at most ${RESOURCES_MAX[kind]} resources`,
        );
      }
      return { ...now, [kind]: { ...others, [name]: next } };
    });
    this.current = this.merged();
    for (const listener of this.listeners) listener();
  }

  /** Calls `fn` after every change. */
  onChange(fn: () => void): void {
    this.listeners.add(fn);
  }

  private merged(): Configs {
    return { ...this.of('brokers', ALL_BROKERS), ...this.of('brokers', this.nodeName) };
  }
}

/** @throws Error when the file is damaged */
export async function openAdminConfigs(
  files: Files,
  { dataDir, nodeId }: Pick<BrokerConfig, 'dataDir' | 'nodeId'>,
): Promise<AdminConfigs> {
  const document = await openDocument<Content>(files, `${dataDir}/configs.json`, {
    schema,
    // As Kafka formats its storage, with eligible leader replicas on.
    empty: { brokers: { [ALL_BROKERS]: { 'min.insync.replicas': '1' } }, groups: {}, clientMetrics: {} },
  });
  return new AdminConfigs(document, nodeId);
}

/**
 * The broker's settings with what administrators changed: to be read when it is used, not copied. Parts of the broker
 * that take their bounds from it follow a change at once.
 */
export function liveConfig(config: BrokerConfig, admin: Pick<AdminConfigs, 'broker'>): BrokerConfig {
  const live = { ...config };
  for (const { name, live: key } of BROKER_CONFIGS) {
    if (key === undefined) continue;
    Object.defineProperty(live, key, {
      enumerable: true,
      get: () => {
        const changed = admin.broker[name];
        return changed === undefined ? config[key] : Number(changed);
      },
    });
  }
  return live;
}
