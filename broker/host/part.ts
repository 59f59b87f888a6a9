/**
 * A part of the product (broker, store, collector, agent, sink, alerts, web): started with its checked
 * configuration and a host, stopped once.
 */
export interface Part {
  /** Where it listens, by the names of DESIGN's port table (`kafka`, `otlpHttp`, `clickhouse`, `web`). */
  readonly addresses: Readonly<Record<string, { host: string; port: number }>>;
  /** Drains and stops; what is not done by the deadline is abandoned. Never rejects, may be called twice. */
  stop(deadlineMs: number): Promise<void>;
}
