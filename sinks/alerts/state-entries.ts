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

/** The other way: puts what was read back in force, in an engine that has its rules and its position. */
export function restoreEngine(engine: Engine, state: StoredState, intervalMs: number, nowMs: number): void {
  for (const [id, stored] of state.windows) engine.restore(id, stored);
  for (const alert of state.alerts.values()) {
    const ruleState = engine.rules.get(alert.ruleId);
    if (ruleState) {
      ruleState.alerts.set(alert.key, { ...alert, rule: ruleState.rule });
    } else {
      const { name = '', intervalMs: ofRule = intervalMs } = state.rules.get(alert.ruleId) ?? {};
      engine.resolveOrphan({ ...alert, rule: { id: alert.ruleId, name, intervalMs: ofRule } }, nowMs);
    }
  }
  for (const [, rule] of engine.rules) {
    // What a rule did not store since, it has not been touched by: the common position holds for it too.
    for (const [partition, offset] of engine.position) {
      rule.from.set(partition, Math.max(offset, rule.from.get(partition) ?? 0));
    }
  }
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
