/** Which metrics a client is asked for: what all subscriptions that match it want, as often as the most eager one. */
import type { AdminConfigs } from '../configs/admin-configs.ts';
import { type Matcher, matchersOf, PUSH_INTERVAL_MS } from '../configs/client-metrics-configs.ts';
import type { Configs } from '../configs/definition.ts';
import { itemsOf } from '../configs/definition.ts';
import { crc32c } from '../log/batch/crc32c.ts';

export type ClientFacts = Readonly<Record<Matcher, string>>;

export interface Subscription {
  /** Of this client and what it is asked for: another one tells it to ask again. */
  readonly id: number;
  readonly pushIntervalMs: number;
  readonly metrics: readonly string[];
}

/** Expressions are an administrator's, values a client's: neither may hold up the broker. */
const VALUE_MAX = 256;
const ALL = '*';

export function subscriptionFor(client: ClientFacts, resources: readonly Configs[]): Subscription {
  const matching = resources.filter(({ match }) => matches(client, match ?? ''));
  const wanted = matching.filter(({ metrics }) => itemsOf(metrics ?? '').length > 0);
  const all = [...new Set(wanted.flatMap(({ metrics }) => itemsOf(metrics!)))].sort();
  const metrics = all.includes(ALL) ? [ALL] : all;
  const intervals = wanted.map((one) => Number(one['interval.ms'] ?? PUSH_INTERVAL_MS));
  const pushIntervalMs = intervals.length > 0 ? Math.min(...intervals) : PUSH_INTERVAL_MS;
  const text = `${client.client_instance_id} ${pushIntervalMs} ${metrics.join(',')}`;
  return { id: crc32c(Buffer.from(text)) | 0, pushIntervalMs, metrics };
}

export function resourcesOf(admin: Pick<AdminConfigs, 'names' | 'of'>): Configs[] {
  return admin.names('clientMetrics').map((name) => admin.of('clientMetrics', name));
}

function matches(client: ClientFacts, match: string): boolean {
  for (const [name, expression] of matchersOf(match)) {
    if (!expression.matcher(client[name].slice(0, VALUE_MAX)).matches()) return false;
  }
  return true;
}
