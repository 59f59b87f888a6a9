/** One dashboard file: variables on top, panels on the grid. */
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Dashboard } from '../model/dashboard.ts';
import { placePanels } from '../model/layout.ts';
import type { Theme } from '../model/palette.ts';
import { unsupportedOfDashboard } from '../model/support.ts';
import { getJson, useLoaded } from '../shell/api.ts';
import type { DashboardEntry } from '../shell/app.tsx';
import { useKeys } from '../shell/keyboard.tsx';
import { type Location, setParams } from '../shell/location.ts';
import { TimeProvider, usePageTime } from '../shell/time.tsx';
import { TopBar } from '../shell/top-bar.tsx';
import { DashboardLinks } from './dashboard-links.tsx';
import { DashboardProvider } from './context.ts';
import { PanelFrame } from './panel-frame.tsx';
import { RowHeader } from './row-header.tsx';
import { useVariables } from './use-variables.ts';
import { VariableBar } from './variable-bar.tsx';

export function DashboardPage(props: {
  uid: string;
  location: Location;
  theme: Theme;
  dashboards: readonly DashboardEntry[];
}): JSX.Element {
  const { uid } = props;
  const loaded = useLoaded(
    (signal) => getJson<Dashboard>(`/api/dashboards/${encodeURIComponent(uid)}`, signal),
    uid,
    0,
  );
  if (loaded.error) return <p class="empty error">{loaded.error}</p>;
  if (!loaded.data) return <div class="empty" />;
  return <LoadedDashboard {...props} dashboard={loaded.data} />;
}

function LoadedDashboard(props: {
  uid: string;
  location: Location;
  theme: Theme;
  dashboards: readonly DashboardEntry[];
  dashboard: Dashboard;
}): JSX.Element {
  const { uid, dashboard, theme, location } = props;
  const time = usePageTime(location, {
    from: dashboard.time?.from ?? 'now-1h',
    to: dashboard.time?.to ?? 'now',
    refresh: dashboard.refresh === undefined || dashboard.refresh === false ? '' : dashboard.refresh,
    timezone: dashboard.timezone,
  });
  const variables = useVariables(uid, dashboard.templating?.list ?? [], location, time);
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());
  const placed = useMemo(() => placePanels(dashboard.panels ?? [], toggled), [dashboard, toggled]);
  const notices = useMemo(() => unsupportedOfDashboard(dashboard), [dashboard]);
  const page = useRef<HTMLDivElement>(null);
  const viewPanel = location.params.get('viewPanel');
  const lastRefresh = useRef(time.refresh);
  if (time.refresh !== '') lastRefresh.current = time.refresh;

  useEffect(() => {
    document.title = `${dashboard.title ?? uid} - Millrace`;
  }, [dashboard, uid]);
  useKeys({
    j: () => focusPanel(page.current, 1),
    k: () => focusPanel(page.current, -1),
    p: () => setParams({ refresh: time.refresh === '' ? lastRefresh.current || '5s' : '' }, true),
    '/': () => page.current?.querySelector<HTMLElement>('.variables input, .variables button')?.focus(),
    Escape: () => viewPanel !== null && setParams({ viewPanel: null }),
  });

  const toggle = (key: string): void => {
    const next = new Set(toggled);
    if (!next.delete(key)) next.add(key);
    setToggled(next);
  };
  const shown = viewPanel === null ? placed : placed.filter(({ panel }) => String(panel.id) === viewPanel);
  const context = useMemo(
    () => ({ uid, dashboard, theme, variables: variables.values, ready: variables.ready }),
    [uid, dashboard, theme, variables.key, variables.ready],
  );
  return (
    <TimeProvider value={time}>
      <DashboardProvider value={context}>
        <TopBar
          title={dashboard.title ?? uid}
          note={dashboard.description && <span class="hint" title={dashboard.description} tabIndex={0} />}
          time={time}
          refreshChoices={dashboard.timepicker?.refresh_intervals}
        >
          <DashboardLinks links={dashboard.links ?? []} dashboards={props.dashboards} location={location} />
        </TopBar>
        <div class="page" ref={page}>
          <VariableBar variables={variables.list} />
          {notices.length > 0 && <p class="notice">cannot show: {notices.join(', ')}</p>}
          <div class="grid">
            {shown.map(({ panel, key, pos, count }) => {
              const whole = viewPanel !== null;
              const style = {
                gridColumn: `${pos.x + 1} / span ${pos.w}`,
                gridRow: `${pos.y + 1} / span ${pos.h}`,
                '--h': String(pos.h),
              };
              const name = whole ? 'cell cell-whole' : panel.type === 'row' ? 'cell cell-row' : 'cell';
              return (
                <div class={name} style={whole ? {} : style} key={key}>
                  {panel.type === 'row' ? (
                    <RowHeader panel={panel} count={count ?? 0} onToggle={() => toggle(key)} />
                  ) : (
                    <PanelFrame panel={panel} whole={whole} />
                  )}
                </div>
              );
            })}
          </div>
          {placed.length === 0 && <p class="empty">This dashboard has no panels.</p>}
        </div>
      </DashboardProvider>
    </TimeProvider>
  );
}

function focusPanel(page: HTMLElement | null, step: number): void {
  const panels = [...(page?.querySelectorAll<HTMLElement>('.panel') ?? [])];
  const at = panels.findIndex((panel) => panel === document.activeElement);
  const next = panels[Math.min(panels.length - 1, Math.max(0, at + step))];
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: 'nearest' });
}
