/** Rules by group with what they found, and who was told how fast. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { formatAge, formatTime } from '../model/time-range.ts';
import { unitText } from '../model/units.ts';
import { getJson, useLoaded } from '../shell/api.ts';
import { Copy } from '../shell/copy.tsx';
import { Link } from '../shell/link.tsx';
import { type Location, setParams } from '../shell/location.ts';
import { usePageTime } from '../shell/time.tsx';
import { RefreshPicker, TopBar, ZoneSwitch } from '../shell/top-bar.tsx';
import { StateChip } from '../status/record-table.tsx';
import {
  type ActiveAlert,
  latencyMs,
  newestFirst,
  type Notification,
  type Rule,
  type RuleGroup,
  type RulesAnswer,
  ruleSource,
  ruleState,
  ruleSummary,
  sortedRules,
} from './model.ts';

const STATES = ['firing', 'pending', 'inactive'] as const;
// The log keeps more; a person reads the latest.
const NOTIFICATIONS_SHOWN = 50;

export function AlertsPage({ location }: { location: Location }): JSX.Element {
  const time = usePageTime(location, { from: 'now-1h', to: 'now', refresh: '5s' });
  const only = location.params.get('state');
  useEffect(() => {
    document.title = 'Alerts - Millrace';
  }, []);
  const rules = useLoaded((signal) => getJson<RulesAnswer>('/api/v1/rules', signal), 'rules', time.tick);
  const notifications = useLoaded(
    (signal) =>
      getJson<Notification[] | { notifications: Notification[] }>('/api/alerts/notifications', signal),
    'notifications',
    time.tick,
  );
  const groups = rules.data?.data?.groups ?? [];
  const all = groups.flatMap((group) => group.rules);
  const told = Array.isArray(notifications.data) ? notifications.data : notifications.data?.notifications;
  return (
    <>
      <TopBar title="Alerts">
        <span class="counts">
          {STATES.map((state) => (
            <button
              type="button"
              key={state}
              class={only === state ? `count count-${state} on` : `count count-${state}`}
              aria-pressed={only === state}
              onClick={() => setParams({ state: only === state ? null : state })}
            >
              <b>{all.filter((rule) => ruleState(rule) === state).length}</b> {state}
            </button>
          ))}
        </span>
        <span class="time-controls">
          <RefreshPicker time={time} choices={['5s', '10s', '30s', '1m']} />
          <ZoneSwitch utc={time.utc} />
        </span>
      </TopBar>
      <div class="page alerts-page">
        {rules.error && <p class="panel-error">{rules.error}</p>}
        {rules.data && all.length === 0 && (
          <p class="empty">
            No alert rules yet: start with `--rules FILE`, or name rule files under `alerts.rules` in
            millrace.yaml.
          </p>
        )}
        {groups.map((group) => (
          <Group key={`${group.file ?? ''} ${group.name}`} group={group} only={only} utc={time.utc} />
        ))}
        <section class="panel block">
          <header>
            <h3>Notifications</h3>
          </header>
          {notifications.error ? (
            <p class="muted">{notifications.error}</p>
          ) : (
            <Notifications list={newestFirst(told ?? []).slice(0, NOTIFICATIONS_SHOWN)} utc={time.utc} />
          )}
        </section>
      </div>
    </>
  );
}

function Group(props: { group: RuleGroup; only: string | null; utc: boolean }): JSX.Element | null {
  const { group, only } = props;
  const shown = sortedRules(group.rules).filter((rule) => only === null || ruleState(rule) === only);
  if (shown.length === 0) return null;
  return (
    <section class="panel block">
      <header>
        <h3>{group.name}</h3>
        <span class="muted">{group.file}</span>
      </header>
      {shown.map((rule) => (
        <RuleRow key={rule.name} rule={rule} utc={props.utc} />
      ))}
    </section>
  );
}

function RuleRow({ rule, utc }: { rule: Rule; utc: boolean }): JSX.Element {
  const state = ruleState(rule);
  const [open, setOpen] = useState(state !== 'inactive');
  const alerts = rule.alerts ?? [];
  return (
    <div class={`rule rule-${state}`}>
      <button type="button" class="rule-head" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span class={open ? 'chevron down' : 'chevron'} aria-hidden="true" />
        <StateChip state={state} />
        <b>{rule.name}</b>
        {alerts.length > 0 && (
          <span class="muted">{alerts.length === 1 ? '1 alert' : `${alerts.length} alerts`}</span>
        )}
        {rule.health !== undefined && rule.health !== 'ok' && rule.health !== 'unknown' && (
          <span class="chip chip-error">{rule.health}</span>
        )}
        <span class="rule-summary muted">{ruleSummary(rule)}</span>
      </button>
      {open && (
        <div class="rule-body">
          {rule.lastError && <p class="panel-error">{rule.lastError}</p>}
          {rule.query && (
            <pre class="expression">
              <code>{rule.query}</code>
              <Copy text={() => rule.query ?? ''} name="Copy" />
            </pre>
          )}
          <p class="facts">
            {rule.duration ? (
              <span>
                for <b>{unitText('dtdurations', rule.duration)}</b>
              </span>
            ) : null}
            <Labels labels={rule.labels} />
            {rule.query && (
              <Link href={`/logs?query=${encodeURIComponent(withoutThreshold(rule.query))}`}>
                Open in Logs
              </Link>
            )}
          </p>
          {alerts.length > 0 && <ActiveAlerts alerts={alerts} utc={utc} />}
          {rule.query && <RuleSource rule={rule} />}
        </div>
      )}
    </div>
  );
}

/** The rule as its file has it, templates and all. */
function RuleSource({ rule }: { rule: Rule }): JSX.Element {
  const source = ruleSource(rule);
  return (
    <details class="rule-source">
      <summary>Source</summary>
      <pre class="expression">
        <code>{source}</code>
        <Copy text={() => source} name="Copy" />
      </pre>
    </details>
  );
}

/** The query without its comparison, so that the explorer shows the whole curve. */
function withoutThreshold(query: string): string {
  return query.replace(/\s*(>=|<=|==|!=|>|<)\s*-?[\d.]+(e[+-]?\d+)?\s*$/i, '');
}

function ActiveAlerts({ alerts, utc }: { alerts: readonly ActiveAlert[]; utc: boolean }): JSX.Element {
  return (
    <table class="data">
      <thead>
        <tr>
          <th>State</th>
          <th>Labels</th>
          <th>Active since</th>
          <th class="number">Value</th>
        </tr>
      </thead>
      <tbody>
        {alerts.map((alert, index) => {
          const since = Date.parse(alert.activeAt ?? '');
          const number = Number(alert.value);
          return (
            <tr key={index}>
              <td>
                <StateChip state={alert.state ?? ''} />
              </td>
              <td>
                <Labels labels={alert.labels} />
                {Object.entries(alert.annotations ?? {}).map(([name, text]) =>
                  name === 'samples' ? (
                    <details class="samples" key={name}>
                      <summary>sample lines</summary>
                      <pre class="expression">{text}</pre>
                    </details>
                  ) : (
                    <div class="annotation" key={name}>
                      {name !== 'summary' && <span class="muted">{name} </span>}
                      {text}
                    </div>
                  ),
                )}
              </td>
              <td class="moment">
                {Number.isNaN(since) ? '' : `${formatTime(since, utc)} (${formatAge(Date.now() - since)})`}
              </td>
              <td class="number">
                {Number.isNaN(number) ? alert.value : String(Number(number.toPrecision(6)))}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Notifications({ list, utc }: { list: readonly Notification[]; utc: boolean }): JSX.Element {
  if (list.length === 0) return <p class="empty">Nobody had to be told anything yet.</p>;
  return (
    <table class="data">
      <thead>
        <tr>
          <th>Judged</th>
          <th>Status</th>
          <th>Alert</th>
          <th>Told</th>
          <th class="number">Latency</th>
        </tr>
      </thead>
      <tbody>
        {list.map((one) => {
          const latency = latencyMs(one);
          const { alertname, ...labels } = one.labels ?? {};
          return (
            <tr key={one.id}>
              <td>{one.timings?.evalMs === undefined ? '' : formatTime(one.timings.evalMs, utc)}</td>
              <td>
                <StateChip state={one.status === 'resolved' ? 'resolved' : 'firing'} />
              </td>
              <td>
                <b>{alertname}</b> <Labels labels={labels} />
              </td>
              <td>
                {Object.keys(one.deliveries ?? {}).length === 0 && <span class="muted">no receiver set</span>}
                {Object.entries(one.deliveries ?? {}).map(([target, delivery]) => (
                  <div key={target} title={delivery.lastError}>
                    {target}: {delivery.outcome}
                    {delivery.attempts > 1 && ` after ${delivery.attempts} attempts`}
                    {delivery.lastError && delivery.outcome !== 'delivered' && (
                      <span class="error"> {delivery.lastError}</span>
                    )}
                  </div>
                ))}
              </td>
              <td class="number">{latency === undefined ? '' : unitText('ms', latency)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Labels({ labels }: { labels: Record<string, string> | undefined }): JSX.Element | null {
  if (Object.keys(labels ?? {}).length === 0) return null;
  return (
    <span class="labels">
      {Object.entries(labels ?? {})
        .filter(([name]) => name !== 'alertname')
        .map(([name, value]) => (
          <span class="label" key={name}>
            <i>{name}</i>
            {value}
          </span>
        ))}
    </span>
  );
}
