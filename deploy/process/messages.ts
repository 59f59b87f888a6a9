/** What the supervisor and a part's process say to each other over the IPC channel. */
import type { MetricFamily } from '../../broker/host/metrics.ts';
import type { PartName } from '../parts/names.ts';
import type { PartStatus } from '../parts/start.ts';
import type { TelemetryConfig } from '../telemetry/config.ts';

export type ToPart =
  | {
      readonly type: 'start';
      readonly part: PartName;
      readonly config: unknown;
      readonly telemetry?: TelemetryConfig;
    }
  /** The whole is being stopped: a `stop` follows when this part's turn comes. */
  | { readonly type: 'stopping' }
  | { readonly type: 'stop'; readonly deadlineMs: number }
  /** To the web part only: what the others measured and said. */
  | { readonly type: 'metrics'; readonly metrics: PartMetrics }
  | { readonly type: 'parts'; readonly parts: readonly PartStatus[] }
  | { readonly type: 'logs'; readonly lines: readonly PartLogLine[] };

export type FromPart =
  | { readonly type: 'hello' }
  | { readonly type: 'ready'; readonly addresses: PartStatus['addresses'] }
  /** The part cannot start through its own fault (busy port, unreadable directory): say it and do not try again. */
  | { readonly type: 'failed'; readonly message: string }
  | { readonly type: 'metrics'; readonly families: readonly MetricFamily[]; readonly startedMs: number };

export interface PartMetrics {
  readonly part: string;
  readonly startedMs: number;
  readonly families: readonly MetricFamily[];
}

/** One line of a part's own log, as pino writes it. */
export interface PartLogLine {
  readonly part: string;
  readonly timeMs: number;
  /** pino's numbers: 20 debug, 30 info, 40 warn, 50 error. */
  readonly level: number;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}
