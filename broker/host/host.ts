/**
 * The one door to the world: clock, timers, randomness, files and sockets.
 *
 * Broker, spool and delivery reach the world only through a `Host`, so that tests replace it: time is
 * injected, disks tear and fill, and the same seed gives the same run. `nodeHost()` is the real one,
 * `test/sim` has the simulated one.
 */
import type { Files } from './files.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Net } from './net.ts';

export interface Host {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly files: Files;
  readonly net: Net;
  /** What a part counts. One registry a process; the telemetry of `deploy` reads it. */
  readonly metrics: Metrics;
  /** What a part says about itself. */
  readonly log: Log;
}

export interface Clock {
  /** Wall time, ms since 1970. May jump: for timestamps, never for durations. */
  nowMs(): number;
  /** Wall time, ns since 1970. */
  nowNs(): bigint;
  /** Steady time, ms with fractions from an arbitrary start: for durations and deadlines. */
  monotonicMs(): number;
}

export interface Timers {
  /** Calls `fn` once after `delayMs`, unless cancelled. */
  after(delayMs: number, fn: () => void): Cancel;
  /** Calls `fn` every `periodMs`, until cancelled. */
  every(periodMs: number, fn: () => void): Cancel;
  /** Calls `fn` in the next turn of the event loop, after pending I/O. */
  soon(fn: () => void): void;
  /** Resolves after `delayMs`, or at once (without throwing) when `signal` aborts. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

export type Cancel = () => void;

export interface Random {
  bytes(length: number): Buffer;
  /** A random (version 4) UUID in its 36-character form. */
  uuid(): string;
  /** Uniform in [0, 1). */
  unit(): number;
}
