/** The Prometheus shapes of rules and alerts, and our own of notifications. */

export interface RulesAnswer {
  data?: { groups?: RuleGroup[] };
}

export interface RuleGroup {
  name: string;
  file?: string;
  interval?: number;
  rules: Rule[];
}

export interface Rule {
  name: string;
  query?: string;
  type?: string;
  /** firing, pending or inactive. */
  state?: string;
  /** Seconds. */
  duration?: number;
  /** Seconds. */
  keepFiringFor?: number;
  health?: string;
  lastError?: string;
  lastEvaluation?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  alerts?: ActiveAlert[];
}

export interface ActiveAlert {
  state?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  activeAt?: string;
  value?: string;
}

/** Times in Unix ms. */
export interface Notification {
  id: string;
  status: 'firing' | 'resolved';
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  value?: number;
  startsAtMs?: number;
  timings?: { eventMs?: number; appendMs?: number; evalMs?: number; notifyMs?: number };
  deliveries?: Record<string, { outcome: string; attempts: number; atMs?: number; lastError?: string }>;
}

/** One line about the rule: what its first alert says, else its summary, unless that only makes sense filled in. */
export function ruleSummary({ alerts = [], annotations = {}, query }: Rule): string {
  const said = alerts.length === 1 ? alerts[0]?.annotations?.['summary'] : undefined;
  const written = annotations['summary'] ?? '';
  return said ?? (written !== '' && !written.includes('{{') ? written : (query ?? ''));
}

/** The rule in YAML, as a rule file has it: JSON's strings are YAML's too. */
export function ruleSource({ name, query, duration, keepFiringFor, labels, annotations }: Rule): string {
  const plain = (text: string): string =>
    /^[A-Za-z_][\w ./-]*$/.test(text) && !/^(true|false|null|yes|no|on|off)$/i.test(text)
      ? text
      : JSON.stringify(text);
  const map = (title: string, values: Readonly<Record<string, string>> = {}): string[] =>
    Object.keys(values).length === 0
      ? []
      : [`  ${title}:`, ...Object.entries(values).map(([key, value]) => `    ${key}: ${plain(value)}`)];
  return [
    `- alert: ${plain(name)}`,
    // A block scalar: expressions are full of quotes.
    '  expr: |-',
    ...(query ?? '').split('\n').map((line) => `    ${line}`),
    ...(duration ? [`  for: ${duration}s`] : []),
    ...(keepFiringFor ? [`  keep_firing_for: ${keepFiringFor}s`] : []),
    ...map('labels', labels),
    ...map('annotations', annotations),
  ].join('\n');
}

const SEVERITY: readonly string[] = ['firing', 'pending', 'inactive'];

export function ruleState(rule: Rule): string {
  const states = (rule.alerts ?? []).map(({ state }) => state ?? '');
  return rule.state ?? SEVERITY.find((state) => states.includes(state)) ?? 'inactive';
}

/** Firing rules first, then pending, then by name. */
export function sortedRules(rules: readonly Rule[]): Rule[] {
  const rank = (rule: Rule): number => SEVERITY.indexOf(ruleState(rule));
  return [...rules].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}

/** From the deciding record's append (else its event, else the evaluation) to the first delivery, in ms. */
export function latencyMs({ timings = {} }: Notification): number | undefined {
  const from = timings.appendMs ?? timings.eventMs ?? timings.evalMs;
  return from === undefined || timings.notifyMs === undefined ? undefined : timings.notifyMs - from;
}

export function newestFirst(notifications: readonly Notification[]): Notification[] {
  return [...notifications].sort((a, b) => (b.timings?.evalMs ?? 0) - (a.timings?.evalMs ?? 0));
}
