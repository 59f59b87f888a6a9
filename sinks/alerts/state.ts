import { gunzipSync, gzipSync } from 'node:zlib';

import type { StoredRule } from './engine.ts';
import type { Instance } from './instance.ts';
import type { Labels } from './labels.ts';
import type { Notification } from './notification.ts';
import type { Problem } from './rule.ts';
import type { PartitionTime } from './watermark.ts';

/**
 * The topic `millrace.alerts`, one partition, compacted: the one durable place of rules and alerts. A key holds
 * what it is about; a value is JSON, gzipped when long; null removes.
 *
 *     position              input offsets that everything before it in the log reflects
 *     rule/<id>             definition and health of a loaded rule, for whoever shows it
 *     window/<id>           its counters, with the input offsets they reflect
 *     alert/<id>/<key>      one alert: labels, annotations, state
 *     notification/<id>     intent to notify, and what became of it
 *     file/<path>           a rule file that has problems
 */
export interface StoredPosition {
  readonly version: 1;
  /** Cluster and topic of the input: a recreated topic starts at offset 0 again. */
  readonly origin: string;
  readonly offsets: ReadonlyArray<readonly [partition: number, offset: number]>;
  readonly times: ReadonlyArray<readonly [partition: number, time: PartitionTime]>;
  /** Nothing older is notified: a first start reads the past, but wakes nobody for it. */
  readonly notifyFromMs: number;
}

export interface StoredDefinition {
  readonly id: string;
  readonly file: string;
  readonly group: string;
  readonly name: string;
  readonly expr: string;
  readonly intervalMs: number;
  readonly forMs: number;
  readonly keepFiringForMs: number;
  readonly limit: number;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly health: 'ok' | 'err' | 'unknown';
  readonly lastError: string;
  readonly lastEvaluationMs: number;
}

export interface StoredAlert {
  readonly ruleId: string;
  readonly key: string;
  readonly seriesLabels: Labels;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly instance: Instance;
}

export interface StoredFile {
  readonly file: string;
  readonly problems: readonly Problem[];
}

/** What the topic holds after it was read to its end. */
export interface StoredState {
  position: StoredPosition | undefined;
  readonly rules: Map<string, StoredDefinition>;
  readonly windows: Map<string, StoredRule>;
  readonly alerts: Map<string, StoredAlert>;
  readonly notifications: Map<string, Notification>;
  readonly files: Map<string, StoredFile>;
}

export function emptyState(): StoredState {
  return {
    position: undefined,
    rules: new Map(),
    windows: new Map(),
    alerts: new Map(),
    notifications: new Map(),
    files: new Map(),
  };
}

/** Applies one record of the topic. Returns false for one that is not ours. */
export function applyRecord(
  state: StoredState,
  key: Uint8Array | null,
  value: Uint8Array | null,
  withWindows = true,
): boolean {
  const text = key ? Buffer.from(key).toString() : '';
  if (text === 'position') {
    state.position = value ? (decode(value) as StoredPosition) : undefined;
    return true;
  }
  const slash = text.indexOf('/');
  const family = FAMILIES.get(text.slice(0, slash));
  if (!family) return false;
  const id = text.slice(slash + 1);
  const map = state[family] as Map<string, unknown>;
  if (!value) map.delete(id);
  else if (family !== 'windows' || withWindows) map.set(id, decode(value));
  return true;
}

const FAMILIES: ReadonlyMap<string, 'rules' | 'windows' | 'alerts' | 'notifications' | 'files'> = new Map([
  ['rule', 'rules'],
  ['window', 'windows'],
  ['alert', 'alerts'],
  ['notification', 'notifications'],
  ['file', 'files'],
]);

/** Shorter values gain nothing from gzip. */
const GZIP_FROM_BYTES = 4_096;

export function encode(value: object): Buffer {
  const json = Buffer.from(JSON.stringify(value, (_key, member: unknown) => numberForJson(member)));
  return json.length < GZIP_FROM_BYTES ? json : gzipSync(json, { level: 1 });
}

function decode(value: Uint8Array): unknown {
  // 0x1f begins gzip and no JSON text.
  const json = value[0] === 0x1f ? gunzipSync(value, { maxOutputLength: 64 * 2 ** 20 }) : value;
  return JSON.parse(Buffer.from(json).toString(), (_key, member: unknown) =>
    typeof member === 'string' ? numberFromJson(member) : member,
  );
}

// JSON has no infinities; a ratio with nothing below the line is one, and so is the time of a partition unread.
function numberForJson(member: unknown): unknown {
  if (typeof member !== 'number' || Number.isFinite(member)) return member;
  return Number.isNaN(member) ? '\u0000NaN' : member > 0 ? '\u0000+Inf' : '\u0000-Inf';
}

function numberFromJson(member: string): unknown {
  if (member === '\u0000NaN') return NaN;
  if (member === '\u0000+Inf') return Infinity;
  return member === '\u0000-Inf' ? -Infinity : member;
}
