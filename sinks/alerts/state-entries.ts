import type { Engine } from './engine.ts';
import { fingerprint } from './labels.ts';
import type { Notification } from './notification.ts';
import type { LoadedFile } from './rule-files.ts';
import type { StoredAlert, StoredDefinition, StoredFile, StoredPosition, StoredState } from './state.ts';
import type { StateEntry } from './state-writer.ts';

/** Everything that belongs in the state topic, the position last. */
export function stateEntries(
  engine: Engine,
  {
    files,
    notifications,
    origin,
    notifyFromMs,
  }: {
    readonly files: ReadonlyMap<string, LoadedFile>;
    readonly notifications: ReadonlyMap<string, Notification>;
    readonly origin: string;
    readonly notifyFromMs: number;
  },
): StateEntry[] {
  const entries: StateEntry[] = [];
  for (const notification of notifications.values()) {
    entries.push({ key: notificationKey(notification.id), source: notification, value: () => notification });
  }
  for (const [id, state] of engine.rules) {
    const { rule, health, lastError, lastEvaluationMs, version } = state;
    for (const alert of state.alerts.values()) {
      const value = (): StoredAlert => {
        const { key, seriesLabels, labels, annotations, instance } = alert;
        return { ruleId: id, key, seriesLabels, labels, annotations, instance };
      };
      entries.push({ key: alertKey(id, alert.key), source: alert, value });
    }
    const definition = (): StoredDefinition => {
      const { file, group, name, expr, intervalMs, forMs, keepFiringForMs, limit, labels, annotations } =
        rule;
      const settings = { file, group, name, expr, intervalMs, forMs, keepFiringForMs, limit };
      return { id, ...settings, labels, annotations, health, lastError, lastEvaluationMs };
    };
    entries.push({ key: `rule/${id}`, source: version, value: definition });
    entries.push({ key: `window/${id}`, source: version, value: () => engine.snapshot(state) });
  }
  for (const file of files.values()) {
    if (file.problems.length === 0) continue;
    const value = (): StoredFile => ({ file: file.file, problems: file.problems });
    entries.push({ key: `file/${file.file}`, source: file, value });
  }
  const position = (): StoredPosition => ({
    version: 1,
    origin,
    offsets: [...engine.position],
    times: [...engine.partitions],
    notifyFromMs,
  });
  entries.push({
    key: 'position',
    source: JSON.stringify([...engine.position, notifyFromMs]),
    value: position,
  });
  return entries;
}

/** The keys of what was read back. */
export function storedKeys(state: StoredState): string[] {
  return [
    ...[...state.rules.keys()].map((id) => `rule/${id}`),
    ...[...state.windows.keys()].map((id) => `window/${id}`),
    ...[...state.alerts.keys()].map((id) => `alert/${id}`),
    ...[...state.notifications.keys()].map(notificationKey),
    ...[...state.files.keys()].map((id) => `file/${id}`),
    ...(state.position ? ['position'] : []),
  ];
}

function alertKey(ruleId: string, key: string): string {
  return `alert/${ruleId}/${fingerprint(key)}`;
}

function notificationKey(id: string): string {
  return `notification/${id}`;
}
