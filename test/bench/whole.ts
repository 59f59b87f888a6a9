import { freePortOffset } from '../support/millrace.ts';
import { type Running, untilReady, type Workplace } from './workplace.ts';

/** A whole `up`, with everything that it runs by default, its own telemetry too. */
export interface Whole extends Running {
  readonly otlp: string;
  readonly web: string;
  readonly clickhouse: string;
  parts(): Promise<ReadonlyArray<{ name: string; pid: number }>>;
}

/** Resolves when it says that it is up. */
export async function startWhole(workplace: Workplace, args: readonly string[] = []): Promise<Whole> {
  const offset = await freePortOffset();
  const directory = workplace.directory();
  const common = ['up', '--data-dir', directory, '--port-offset', String(offset)];
  const running = workplace.millrace([...common, ...args]);
  await untilReady(running, () =>
    running.output().includes(' is up: ') ? Promise.resolve() : Promise.reject(new Error('not up yet')),
  );
  const web = `http://127.0.0.1:${3100 + offset}`;
  return {
    ...running,
    web,
    otlp: `http://127.0.0.1:${4318 + offset}`,
    clickhouse: `http://127.0.0.1:${8123 + offset}`,
    async parts() {
      const { parts } = (await (await fetch(`${web}/api/status`)).json()) as {
        parts: Array<{ name: string; pid: number }>;
      };
      return parts;
    },
  };
}
