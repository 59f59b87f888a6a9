/** A subscription to the metrics of clients (KIP-714): which metrics, how often, of which clients. */
import { RE2JS } from 're2js';

import { ConfigRefusal } from './admin-configs.ts';
import { int } from './checks.ts';
import { configsProblem, type Definition, itemsOf } from './definition.ts';

export const PUSH_INTERVAL_MS_MIN = 100;
export const PUSH_INTERVAL_MS_MAX = 3_600_000;
export const PUSH_INTERVAL_MS = 300_000;

/** What a client may be matched by. */
export const MATCHERS = [
  'client_instance_id',
  'client_id',
  'client_software_name',
  'client_software_version',
  'client_source_address',
  'client_source_port',
] as const;

export type Matcher = (typeof MATCHERS)[number];

export interface ClientMetricsConfig extends Definition {
  readonly fallback: string;
}

const intervalProblem = int(PUSH_INTERVAL_MS_MIN, PUSH_INTERVAL_MS_MAX);
const TELEMETRY = 'telemetry/subscriptions.ts';

export const CLIENT_METRICS_CONFIGS: readonly ClientMetricsConfig[] = [
  {
    name: 'interval.ms',
    type: 'int',
    fallback: String(PUSH_INTERVAL_MS),
    check: intervalProblem,
    documentation: 'How often clients push.',
    actsIn: TELEMETRY,
  },
  {
    name: 'match',
    type: 'list',
    fallback: '',
    check: matchProblem,
    documentation:
      'Clients that push: name=expression pairs, all of which must match; empty is every client.',
    actsIn: TELEMETRY,
  },
  {
    name: 'metrics',
    type: 'list',
    fallback: '',
    check: () => undefined,
    documentation: 'Prefixes of the names of metrics; * is all, empty is none.',
    actsIn: TELEMETRY,
  },
];

const BY_NAME = new Map(CLIENT_METRICS_CONFIGS.map((one) => [one.name, one]));

export function clientMetricsConfig(name: string): ClientMetricsConfig | undefined {
  return BY_NAME.get(name);
}

/** Why these settings cannot be a subscription's, undefined when they can. */
export function clientMetricsConfigProblem(
  configs: Readonly<Record<string, string>>,
): ConfigRefusal | undefined {
  const problem = configsProblem(BY_NAME, configs, 'client metrics');
  if (problem === undefined) return undefined;
  const isUnknown = Object.keys(configs).some((name) => !BY_NAME.has(name));
  const interval = configs['interval.ms'];
  const isOutside = interval !== undefined && /^\s*[+-]?\d+\s*$/.test(interval);
  // Kafka's own distinction: what is no number or no matcher is of a wrong kind, the rest asks for what is not done.
  const isAsked = isUnknown || (isOutside && intervalProblem(interval) !== undefined);
  return new ConfigRefusal(isAsked ? 'INVALID_REQUEST' : 'INVALID_CONFIG', problem);
}

/** Which clients are meant: all expressions must match their whole value. @throws Error on what is none */
export function matchersOf(value: string): Map<Matcher, RE2JS> {
  const matchers = new Map<Matcher, RE2JS>();
  for (const item of itemsOf(value)) {
    const at = item.indexOf('=');
    const name = MATCHERS.find((one) => one === item.slice(0, at).trim());
    if (at < 0 || !name || item.length > EXPRESSION_MAX) throw new Error(`no matcher: ${item}`);
    matchers.set(name, RE2JS.compile(item.slice(at + 1).trim()));
  }
  return matchers;
}

/** Expressions run in linear time, in the broker's turn, against values that a client chooses. */
const EXPRESSION_MAX = 300;

function matchProblem(value: string): string | undefined {
  try {
    matchersOf(value);
    return undefined;
  } catch {
    return `a list of name=expression, with names of ${MATCHERS.join(', ')}`;
  }
}
