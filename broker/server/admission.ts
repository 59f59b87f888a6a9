/**
 * Who may connect: bounds on open connections and on how fast new ones come, of all clients and of one address, so
 * that one host that reconnects in a loop, or means harm, leaves room for the others. Kafka has the same bounds and
 * none of them by default.
 */
import { WindowedRate } from '../quotas/windowed-rate.ts';

export interface AdmissionBounds {
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
  readonly connectionsPerSecondMax: number;
  readonly connectionsPerSecondPerAddressMax: number;
}

export type Refusal = 'too-many' | 'too-many-of-address' | 'too-fast' | 'too-fast-of-address' | 'quota';

interface AddressEntry {
  open: number;
  readonly rate: WindowedRate;
}

export class Admission {
  private readonly bounds: AdmissionBounds;
  /** What `connection_creation_rate` of this address is, where somebody set it. */
  private readonly quotaOf: (address: string) => number | undefined;
  private readonly rate = new WindowedRate();
  /** Those with open connections, and those that came of late: bounded by both bounds on all clients. */
  private readonly addresses = new Map<string, AddressEntry>();
  private open = 0;

  constructor(bounds: AdmissionBounds, quotaOf: (address: string) => number | undefined = () => undefined) {
    this.bounds = bounds;
    this.quotaOf = quotaOf;
  }

  /** Undefined when it may come in, and is counted; else why not. Those refused count for no rate but their own. */
  enter(address: string, nowMs: number): Refusal | undefined {
    const { bounds } = this;
    if (this.open >= bounds.connectionsMax) return 'too-many';
    const entry = this.addresses.get(address);
    if (entry && entry.open >= bounds.connectionsPerAddressMax) return 'too-many-of-address';
    const ownRate = entry?.rate.perSecond(nowMs) ?? 0;
    if (ownRate >= bounds.connectionsPerSecondPerAddressMax) return 'too-fast-of-address';
    const quota = this.quotaOf(address);
    if (quota !== undefined && ownRate >= quota) return 'quota';
    if (this.rate.perSecond(nowMs) >= bounds.connectionsPerSecondMax) return 'too-fast';
    const counted = entry ?? { open: 0, rate: new WindowedRate() };
    if (!entry) this.addresses.set(address, counted);
    counted.open += 1;
    counted.rate.record(1, nowMs);
    this.rate.record(1, nowMs);
    this.open += 1;
    return undefined;
  }

  leave(address: string): void {
    this.addresses.get(address)!.open -= 1;
    this.open -= 1;
  }

  /** Forgets addresses that are gone; call now and then. */
  sweep(nowMs: number): void {
    for (const [address, { open, rate }] of this.addresses) {
      if (open === 0 && rate.perSecond(nowMs) === 0) this.addresses.delete(address);
    }
  }

  get size(): number {
    return this.addresses.size;
  }
}
