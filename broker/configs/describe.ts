/** The settings of a resource with every place that has a value for them, the one that holds first. */
import type { BrokerConfig } from '../config.ts';
import { ALL_BROKERS, type AdminConfigs } from './admin-configs.ts';
import { BROKER_CONFIGS, brokerSetting, type BrokerSetting, staticValue } from './broker-configs.ts';
import { CLIENT_METRICS_CONFIGS } from './client-metrics-configs.ts';
import {
  CONFIG_SOURCE,
  type ConfigEntry,
  type Configs,
  type Definition,
  type Synonym,
} from './definition.ts';
import { GROUP_CONFIGS } from './group-configs.ts';
import { TOPIC_CONFIGS } from './topic-configs.ts';

/** `file` is what the configuration file says, without changes over the wire. */
export interface Sources {
  readonly file: BrokerConfig;
  readonly admin: AdminConfigs;
}

export function topicEntries(own: Configs, sources: Sources): ConfigEntry[] {
  return TOPIC_CONFIGS.map((one) => inheriting(one, ownSynonym(one.name, own, CONFIG_SOURCE.topic), sources));
}

export function groupEntries(own: Configs, sources: Sources): ConfigEntry[] {
  return GROUP_CONFIGS.map((one) => inheriting(one, ownSynonym(one.name, own, CONFIG_SOURCE.group), sources));
}

export function clientMetricsEntries(own: Configs): ConfigEntry[] {
  return CLIENT_METRICS_CONFIGS.map((one) =>
    entry(one, ownSynonym(one.name, own, CONFIG_SOURCE.clientMetrics), one.fallback),
  );
}

/** Where the broker has no such setting, or no value of its own for it, the default is told without a place. */
function inheriting(
  one: Definition & { readonly synonym: string | undefined; readonly fallback: string },
  own: readonly Synonym[],
  sources: Sources,
): ConfigEntry {
  const broker = one.synonym === undefined ? undefined : brokerSetting(one.synonym);
  const inherited = broker ? brokerSynonyms(broker, String(sources.file.nodeId), sources) : [];
  return entry(one, [...own, ...inherited], one.fallback);
}

/** Of the broker with this node id; `more` are settings that its configuration file has no word for. */
export function brokerEntries(
  nodeName: string,
  sources: Sources,
  more: Readonly<Record<string, string>>,
): ConfigEntry[] {
  const known = BROKER_CONFIGS.map((one) => ({
    ...entry(one, brokerSynonyms(one, nodeName, sources)),
    readOnly: one.mode === 'read-only',
  }));
  const fixed = Object.entries(more).map(([name, value]): ConfigEntry => {
    const source = CONFIG_SOURCE.staticBroker;
    return { ...bare(name), value, source, readOnly: true, synonyms: [{ name, value, source }] };
  });
  return [...known, ...fixed, ...secrets(sources), ...unknown(nodeName, sources)].toSorted((a, b) =>
    a.name < b.name ? -1 : 1,
  );
}

/** What was set for all brokers: only that, since the rest belongs to none of them. */
export function allBrokersEntries({ admin }: Sources): ConfigEntry[] {
  const own = admin.of('brokers', ALL_BROKERS);
  return Object.entries(own).map(([name, value]) => {
    const setting = brokerSetting(name);
    const source = CONFIG_SOURCE.dynamicDefaultBroker;
    return setting
      ? entry(setting, [{ name, value, source }])
      : { ...bare(name), value: null, source, sensitive: true, synonyms: [{ name, value: null, source }] };
  });
}

function brokerSynonyms(setting: BrokerSetting, nodeName: string, { file, admin }: Sources): Synonym[] {
  const { name, kafkaDefault } = setting;
  const value = staticValue(setting, file);
  const fromFile = { name, value, source: CONFIG_SOURCE.staticBroker };
  const fromKafka = { name, value: kafkaDefault, source: CONFIG_SOURCE.default };
  return [
    ...ownSynonym(name, admin.of('brokers', nodeName), CONFIG_SOURCE.dynamicBroker),
    ...ownSynonym(name, admin.of('brokers', ALL_BROKERS), CONFIG_SOURCE.dynamicDefaultBroker),
    ...(value === kafkaDefault ? [] : [fromFile]),
    ...(kafkaDefault === null ? [] : [fromKafka]),
  ];
}

/** Of the authorizer, which Kafka's broker does not know by name: told that they are set, and no more. */
function secrets({ file }: Sources): ConfigEntry[] {
  if (file.security.superUsers.length === 0) return [];
  const [name, source] = ['super.users', CONFIG_SOURCE.staticBroker];
  const synonyms = [{ name, value: null, source }];
  return [{ ...bare(name), type: 'unknown', value: null, source, readOnly: true, sensitive: true, synonyms }];
}

/** What somebody set that this broker does not know: kept and named, but like Kafka never shown. */
function unknown(nodeName: string, { admin }: Sources): ConfigEntry[] {
  const names = new Set([
    ...Object.keys(admin.of('brokers', ALL_BROKERS)),
    ...Object.keys(admin.of('brokers', nodeName)),
  ]);
  return [...names]
    .filter((name) => !brokerSetting(name))
    .map((name) => {
      const isOwn = Object.hasOwn(admin.of('brokers', nodeName), name);
      const source = isOwn ? CONFIG_SOURCE.dynamicBroker : CONFIG_SOURCE.dynamicDefaultBroker;
      return {
        ...bare(name),
        value: null,
        source,
        sensitive: true,
        synonyms: [{ name, value: null, source }],
      };
    });
}

function ownSynonym(name: string, own: Configs, source: number): Synonym[] {
  return Object.hasOwn(own, name) ? [{ name, value: own[name]!, source }] : [];
}

function entry(
  { name, type, documentation }: Definition,
  synonyms: readonly Synonym[],
  otherwise: string | null = null,
): ConfigEntry {
  const holds = synonyms[0] ?? { value: otherwise, source: CONFIG_SOURCE.default };
  const { value, source } = holds;
  return { name, value, type, source, readOnly: false, sensitive: false, documentation, synonyms };
}

function bare(name: string): Omit<ConfigEntry, 'value' | 'source' | 'synonyms'> {
  return { name, type: 'string', readOnly: false, sensitive: false, documentation: '' };
}
