export interface TelemetryConfig {
  /** Base URL of an OTLP/HTTP endpoint. */
  readonly endpoint: string;
  readonly exportIntervalMs: number;
}
