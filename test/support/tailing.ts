import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Host } from '../../broker/host/host.ts';
import { nodeHost } from '../../broker/host/node-host.ts';
import { agentMetrics } from '../../collector/agent/agent-metrics.ts';
import { type AgentConfig, agentConfig } from '../../collector/agent/config.ts';
import { type LineBatch, requestPieces } from '../../collector/agent/tail/line-batch.ts';
import { Positions } from '../../collector/agent/tail/positions.ts';
import { Tail } from '../../collector/agent/tail/tail.ts';
import { oracleDecode, type OracleMessage } from './otlp-oracle.ts';

/** One record as a collector saw it. */
export interface SentLine {
  readonly body: Buffer;
  readonly text: string;
  readonly path: string;
  readonly offset: number;
  readonly partial: string | undefined;
  readonly cutBytes: number | undefined;
  readonly timeNs: bigint;
  readonly service: string;
}

type Value = OracleMessage & { stringValue?: string; bytesValue?: Buffer; intValue?: string };

/** The lines of one ExportLogsServiceRequest, read by a protobuf library that is not ours. */
export function linesIn(body: Uint8Array): SentLine[] {
  const request = oracleDecode('ExportLogs', body) as unknown as {
    resourceLogs: Array<{
      resource: { attributes: Array<{ key: string; value: Value }> };
      scopeLogs: Array<{
        logRecords: Array<{
          timeUnixNano: string;
          body: Value;
          attributes: Array<{ key: string; value: Value }>;
        }>;
      }>;
    }>;
  };
  return request.resourceLogs.flatMap(({ resource, scopeLogs }) => {
    const service = resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue ?? '';
    return scopeLogs.flatMap(({ logRecords }) =>
      logRecords.map((record): SentLine => {
        const of = (name: string): Value | undefined =>
          record.attributes.find(({ key }) => key === `log.file.${name}`)?.value;
        const bytes = record.body.bytesValue ?? Buffer.from(record.body.stringValue ?? '');
        const cut = of('cut_bytes')?.intValue;
        return {
          body: bytes,
          text: bytes.toString('utf8'),
          path: of('path')?.stringValue ?? '',
          offset: Number(of('record_offset')?.intValue),
          partial: of('partial')?.stringValue,
          cutBytes: cut === undefined ? undefined : Number(cut),
          timeNs: BigInt(record.timeUnixNano),
          service,
        };
      }),
    );
  });
}

/** A tail over a directory of its own, driven by hand, with a collector in the same process. */
export interface Tailing {
  readonly directory: string;
  readonly host: Host;
  /** In the order in which they were acknowledged. */
  readonly lines: SentLine[];
  readonly requests: Array<{ source: string; sequence: number; lines: number }>;
  path(name: string): string;
  append(name: string, content: string | Uint8Array): void;
  /** Looks once and waits until everything is read and acknowledged. */
  poll(): Promise<void>;
  advance(ms: number): void;
  /** While false, batches wait for ever; then a restart sends them again. */
  acknowledge(yes: boolean): void;
  /** Stops without a word, as a crash would after the last checkpoint, and starts again. */
  restart(): Promise<void>;
  /** Runs between the end of this run and the next start. */
  beforeNextStart(fn: () => void): void;
  metric(name: string): number;
  end(): Promise<void>;
}

export interface TailingOptions {
  /** Relative to the directory. */
  readonly patterns?: readonly string[];
  readonly tail?: Partial<AgentConfig['tail']>;
  readonly batch?: Partial<AgentConfig['batch']>;
}

export async function tailing(options: TailingOptions = {}): Promise<Tailing> {
  const root = mkdtempSync(join(tmpdir(), 'millrace-tail-'));
  const patterns = options.patterns ?? ['app.log'];
  const config = agentConfig.parse({
    dataDir: join(root, '.agent'),
    files: patterns.map((path) => ({ path: join(root, path) })),
    tail: options.tail,
    batch: options.batch,
  });
  let nowMs = 1_000_000;
  const host: Host = {
    ...nodeHost(),
    clock: {
      nowMs: () => 1_700_000_000_000 + nowMs,
      nowNs: () => BigInt(1_700_000_000_000 + nowMs) * 1_000_000n,
      monotonicMs: () => nowMs,
    },
  };
  const lines: SentLine[] = [];
  const requests: Tailing['requests'] = [];
  let acknowledges = true;
  let ending = false;
  let give: Array<() => void> = [];
  let between: (() => void) | undefined;
  let positions: Positions;
  let tail: Tail;

  const deliver = async (batch: LineBatch): Promise<boolean> => {
    if (!acknowledges && !ending) await new Promise<void>((resolve) => void give.push(resolve));
    if (!acknowledges) return false;
    const count = batch.ends.length;
    if (count > 0) {
      lines.push(...linesIn(Buffer.concat(requestPieces(batch, 0, count))));
      requests.push({ source: batch.position.source, sequence: batch.offsets.at(-1)!, lines: count });
    }
    batch.position.offset = batch.offset;
    batch.position.midLine = batch.midLine;
    batch.position.lastNs = batch.lastNs;
    positions.changed();
    return true;
  };
  const begin = async (): Promise<void> => {
    positions = await Positions.open(host, config.dataDir, (error) => {
      throw error;
    });
    tail = new Tail(host, config, 'host-a', agentMetrics(host.metrics), positions, deliver);
  };
  const finish = async (): Promise<void> => {
    ending = true;
    tail.stop();
    for (const one of give.splice(0)) one();
    await tail.settled();
    await positions.close();
    await tail.close();
  };
  await begin();

  return {
    directory: root,
    host,
    lines,
    requests,
    path: (name) => join(root, name),
    append: (name, content) => appendFileSync(join(root, name), content),
    async poll() {
      // Two looks: the first may only have found a file.
      for (let look = 0; look < 2; look += 1) {
        nowMs += config.tail.scanIntervalMs;
        await tail.poll();
        if (acknowledges) await tail.settled();
      }
    },
    advance: (ms) => {
      nowMs += ms;
    },
    acknowledge(yes) {
      acknowledges = yes;
      if (yes) for (const one of give.splice(0)) one();
    },
    async restart() {
      await finish();
      give = [];
      between?.();
      between = undefined;
      ending = false;
      await begin();
    },
    beforeNextStart: (fn) => {
      between = fn;
    },
    metric(name) {
      if (name === 'open_files') return tail.status().files;
      const family = host.metrics.snapshot().find((one) => one.name === `millrace_agent_${name}`);
      return family?.series.reduce((sum, { value }) => sum + value, 0) ?? 0;
    },
    async end() {
      await finish();
      rmSync(root, { recursive: true });
    },
  };
}
