/** Measures what clients use against their quotas, and says how long each has to be silent. */
import type { Clock } from '../host/host.ts';
import type { Metrics } from '../host/metrics.ts';
import type { ClientQuotas } from './client-quotas.ts';
import type { QuotaKey } from './quota-entity.ts';
import { TokenBucket } from './token-bucket.ts';
import { throttleMs, WindowedRate } from './windowed-rate.ts';

/** Clients choose their ids: those not seen for longest are forgotten, with what they owe. */
const MEASURED_MAX = 10_000;
/** A wrong quota must not silence a connection for days; what is still owed is asked for after the next request. */
const THROTTLE_MAX_MS = 10 * 60 * 1000;
/** `request_percentage` is bounded by the window it is measured over, as in Kafka. */
const REQUEST_THROTTLE_MAX_MS = 1_000;

export interface Client {
  readonly user: string;
  readonly clientId: string;
}

export class QuotaCharges {
  private readonly quotas: ClientQuotas;
  private readonly clock: Clock;
  private readonly rates = new Map<string, WindowedRate>();
  private readonly buckets = new Map<string, TokenBucket>();
  private readonly onThrottle: (quota: QuotaKey, ms: number) => void;

  constructor(quotas: ClientQuotas, clock: Clock, metrics: Metrics) {
    this.quotas = quotas;
    this.clock = clock;
    const requests = metrics.counter(
      'millrace_broker_throttled_requests_total',
      'Requests whose client was over its quota, by quota.',
    );
    const silence = metrics.counter(
      'millrace_broker_throttle_seconds_total',
      'How long clients were kept silent for being over a quota.',
    );
    this.onThrottle = (quota, ms) => {
      requests.add(1, { quota });
      silence.add(ms / 1_000, { quota });
    };
  }

  /** False while nobody has set any. */
  get isActive(): boolean {
    return this.quotas.any;
  }

  /** Bytes, or ms of work, of one request. @returns how long the client has to be silent */
  charge(key: Exclude<QuotaKey, 'controller_mutation_rate'>, client: Client, amount: number): number {
    const found = this.quotas.find(key, client.user, client.clientId);
    if (!found) return 0;
    const nowMs = this.clock.monotonicMs();
    const rate = recent(this.rates, found.sharedBy, () => new WindowedRate());
    // 100 percent are 1,000 ms a second.
    rate.record(key === 'request_percentage' ? amount / 10 : amount, nowMs);
    const maxMs = key === 'request_percentage' ? REQUEST_THROTTLE_MAX_MS : THROTTLE_MAX_MS;
    return this.throttled(key, Math.min(maxMs, throttleMs(rate.perSecond(nowMs), found.value)));
  }

  /** Whether one more change may be made, by a client that wants to be refused rather than delayed. */
  mayMutate(client: Client, count: number): boolean {
    const found = this.quotas.find('controller_mutation_rate', client.user, client.clientId);
    if (!found) return true;
    const nowMs = this.clock.monotonicMs();
    const bucket = recent(this.buckets, found.sharedBy, () => new TokenBucket());
    if (bucket.level(found.value, nowMs) < 0) return false;
    bucket.take(count, found.value, nowMs);
    return true;
  }

  /** Counts changes that are made in any case. */
  mutate(client: Client, count: number): void {
    const found = this.quotas.find('controller_mutation_rate', client.user, client.clientId);
    if (!found) return;
    const bucket = recent(this.buckets, found.sharedBy, () => new TokenBucket());
    bucket.take(count, found.value, this.clock.monotonicMs());
  }

  /** @returns how long a client that makes changes has to be silent */
  mutationThrottleMs(client: Client): number {
    const found = this.quotas.find('controller_mutation_rate', client.user, client.clientId);
    const bucket = found && this.buckets.get(found.sharedBy);
    if (!found || !bucket) return 0;
    const ms = bucket.throttleMs(found.value, this.clock.monotonicMs());
    return this.throttled('controller_mutation_rate', Math.min(THROTTLE_MAX_MS, ms));
  }

  private throttled(quota: QuotaKey, ms: number): number {
    if (ms > 0) this.onThrottle(quota, ms);
    return ms;
  }
}

/** The entry of this name, which becomes the newest; the oldest makes room. */
function recent<T>(map: Map<string, T>, name: string, make: () => T): T {
  const found = map.get(name) ?? make();
  map.delete(name);
  map.set(name, found);
  if (map.size > MEASURED_MAX) map.delete(map.keys().next().value!);
  return found;
}
