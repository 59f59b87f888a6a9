import type { Random } from '../host/host.ts';

/** Doubling delays with jitter, capped: 50–100 % of `firstMs`, 2 × `firstMs`, … up to `capMs`. */
export class Backoff {
  private readonly random: Random;
  private readonly firstMs: number;
  private readonly capMs: number;
  private attempt = 0;

  constructor(random: Random, firstMs: number, capMs: number) {
    this.random = random;
    this.firstMs = firstMs;
    this.capMs = capMs;
  }

  next(): number {
    const fullMs = Math.min(this.capMs, this.firstMs * 2 ** this.attempt);
    this.attempt = Math.min(this.attempt + 1, 30);
    return fullMs * (0.5 + this.random.unit() / 2);
  }

  reset(): void {
    this.attempt = 0;
  }
}
