import type { KafkaClient, Reader } from '../../broker/client/port.ts';
import type { Host } from '../../broker/host/host.ts';
import { ALERTS_TOPIC } from '../../broker/records/topics.ts';
import type { Notification } from './notification.ts';
import { formatProblem } from './rule.ts';
import {
  applyRecord,
  emptyState,
  type StoredAlert,
  type StoredDefinition,
  type StoredState,
} from './state.ts';
import { numberText } from './template.ts';
import { timeText } from './time-text.ts';

/**
 * Rules and alerts for whoever shows them, read from the state topic: the web part needs no connection to the
 * alert part, and sees what is durable.
 */
export interface AlertsView {
  /** `data` of Prometheus' `GET /api/v1/rules`. Rule files with problems appear as rules with health `err`. */
  rules(): { groups: RuleGroupView[] };
  /** `data` of `GET /api/v1/alerts`: pending and firing. */
  alerts(): { alerts: AlertView[] };
  /** Newest first, with the times from event to notification. */
  notifications(): Notification[];
  /** Whether the topic was read to the end that it had at the start. */
  isReady(): boolean;
  close(): Promise<void>;
}

export interface AlertView {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: 'pending' | 'firing';
  readonly activeAt: string;
  readonly value: string;
}

export interface RuleView {
  readonly type: 'alerting';
  readonly name: string;
  readonly query: string;
  readonly state: 'inactive' | 'pending' | 'firing';
  readonly health: 'ok' | 'err' | 'unknown';
  readonly lastError: string;
  /** Seconds. */
  readonly duration: number;
  readonly keepFiringFor: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly alerts: AlertView[];
  readonly lastEvaluation: string;
  readonly evaluationTime: number;
}

export interface RuleGroupView {
  readonly name: string;
  readonly file: string;
  /** Seconds. */
  readonly interval: number;
  readonly limit: number;
  readonly rules: RuleView[];
  readonly lastEvaluation: string;
  readonly evaluationTime: number;
}

const RETRY_MS = 2_000;

/** Follows the topic until closed; a broker that is away, or a topic that is not there yet, is waited for. */
export function alertsView(kafka: KafkaClient, host: Host): AlertsView {
  const state = emptyState();
  const stopping = new AbortController();
  let reader: Reader | undefined;
  let isReady = false;
  const open = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        reader = await kafka.reader({
          topic: ALERTS_TOPIC,
          from: 'earliest',
          onBatch: (batch) => {
            // Windows are the engine's: nobody looks at their buckets.
            for (const { key, value } of batch.records) applyRecord(state, key, value, false);
            return Promise.resolve();
          },
          onCaughtUp: () => (isReady = true),
        });
        return;
      } catch {
        await host.timers.sleep(RETRY_MS, stopping.signal);
      }
    }
  };
  const opened = open();
  return {
    rules: () => ({ groups: groupsOf(state) }),
    alerts: () => ({ alerts: [...state.alerts.values()].flatMap(alertView) }),
    notifications: () =>
      [...state.notifications.values()].sort((a, b) => b.timings.evalMs - a.timings.evalMs),
    isReady: () => isReady,
    async close() {
      stopping.abort();
      await opened;
      await reader?.close();
    },
  };
}

export function groupsOf(state: StoredState): RuleGroupView[] {
  const groups = new Map<string, RuleGroupView & { rules: RuleView[] }>();
  for (const definition of state.rules.values()) {
    const { file, group, intervalMs, limit, lastEvaluationMs } = definition;
    const key = `${file}\u0000${group}`;
    const alerts = [...state.alerts.values()].filter(({ ruleId }) => ruleId === definition.id);
    const known = groups.get(key) ?? {
      name: group,
      file,
      interval: intervalMs / 1_000,
      limit,
      rules: [],
      lastEvaluation: timeText(lastEvaluationMs),
      evaluationTime: 0,
    };
    known.rules.push(ruleView(definition, alerts));
    groups.set(key, known);
  }
  for (const { file, problems } of state.files.values()) {
    groups.set(`${file}\u0000`, {
      name: 'problems',
      file,
      interval: 0,
      limit: 0,
      rules: problems.map((problem) => ({ ...NOT_LOADED, lastError: formatProblem(problem) })),
      lastEvaluation: timeText(0),
      evaluationTime: 0,
    });
  }
  return [...groups.values()].sort((a, b) => (a.file + a.name < b.file + b.name ? -1 : 1));
}

const NOT_LOADED: RuleView = {
  type: 'alerting',
  name: 'not loaded',
  query: '',
  state: 'inactive',
  health: 'err',
  lastError: '',
  duration: 0,
  keepFiringFor: 0,
  labels: {},
  annotations: {},
  alerts: [],
  lastEvaluation: timeText(0),
  evaluationTime: 0,
};

function ruleView(definition: StoredDefinition, stored: readonly StoredAlert[]): RuleView {
  const alerts = stored.flatMap(alertView);
  const isFiring = alerts.some(({ state }) => state === 'firing');
  return {
    type: 'alerting',
    name: definition.name,
    query: definition.expr,
    state: isFiring ? 'firing' : alerts.length > 0 ? 'pending' : 'inactive',
    health: definition.health,
    lastError: definition.lastError,
    duration: definition.forMs / 1_000,
    keepFiringFor: definition.keepFiringForMs / 1_000,
    labels: definition.labels,
    annotations: definition.annotations,
    alerts,
    lastEvaluation: timeText(definition.lastEvaluationMs),
    evaluationTime: 0,
  };
}

function alertView({ labels, annotations, instance }: StoredAlert): AlertView[] {
  const { phase, activeAtMs, value } = instance;
  if (phase === 'resolved') return [];
  return [{ labels, annotations, state: phase, activeAt: timeText(activeAtMs), value: numberText(value) }];
}
