/** One list of parts: how each is loaded. A process loads only the part that it runs. */
import type { Host } from '../../broker/host/host.ts';
import type { MetricFamily } from '../../broker/host/metrics.ts';
import type { Part } from '../../broker/host/part.ts';
import type { PartName } from './names.ts';

/** What the web part shows beyond what it measures itself; only `up` knows it. */
export interface PartSources {
  families(): Array<{ part: string; families: MetricFamily[] }>;
  parts(): PartStatus[];
}

export type PartStatus = {
  readonly name: string;
  readonly state: 'starting' | 'ready' | 'waiting' | 'stopping' | 'stopped';
  readonly pid: number | undefined;
  readonly restarts: number;
  readonly sinceMs: number;
  readonly addresses: Readonly<Record<string, { host: string; port: number }>>;
};

type Start = (config: never, host: Host, sources: PartSources) => Promise<Part>;

const LOADERS: Readonly<Record<PartName, () => Promise<Start>>> = {
  broker: async () => alone((await import('../../broker/main.ts')).start),
  store: async () => alone((await import('../../sinks/store/main.ts')).start),
  collector: async () => alone((await import('../../collector/main.ts')).start),
  sink: async () => alone((await import('../../sinks/main.ts')).start),
  alerts: async () => alone((await import('../../sinks/alerts/main.ts')).start),
  web: async () => (await import('../../dashboards/main.ts')).start,
  agent: async () => alone((await import('../../collector/agent/main.ts')).start),
};

/** Only the web part is told of the others. */
function alone<C>(start: (config: C, host: Host) => Promise<Part>): Start {
  return (config, host) => start(config as C, host);
}

/** `config` must come from the same part's plan. */
export async function startPart(
  name: PartName,
  config: unknown,
  host: Host,
  sources: PartSources,
): Promise<Part> {
  const start = await LOADERS[name]();
  return start(config as never, host, sources);
}
