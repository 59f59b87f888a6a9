/** Navigation on the left, one page on the right, chosen by the path. */
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { AlertsPage } from '../alerts/alerts-page.tsx';
import { DashboardPage } from '../dashboard/dashboard-page.tsx';
import { LogsPage } from '../logs/logs-page.tsx';
import { StatusPage } from '../status/status-page.tsx';
import { getJson, useLoaded } from './api.ts';
import { KeyboardHelp } from './keyboard.tsx';
import { Link } from './link.tsx';
import { navigate, useLocation } from './location.ts';
import { useTheme } from './theme.ts';

export interface DashboardEntry {
  uid: string;
  title: string;
  tags?: string[];
  description?: string;
}

const HOME_UID = 'millrace-pipeline';

export function App(): JSX.Element {
  const location = useLocation();
  const theme = useTheme(location.params.get('theme'));
  const dashboards = useLoaded(
    (signal) => getJson<DashboardEntry[]>('/api/dashboards', signal),
    'dashboards',
    0,
  );
  const list = homeFirst(dashboards.data ?? []);
  const uid = /^\/d\/([^/]+)/.exec(location.path)?.[1];

  const home = location.path === '/' ? list[0]?.uid : undefined;
  useEffect(() => {
    if (home !== undefined) navigate(`/d/${encodeURIComponent(home)}${window.location.search}`, true);
  }, [home]);

  const kiosk = location.params.has('kiosk');
  return (
    <div class={kiosk ? 'app kiosk' : 'app'}>
      {!kiosk && <Navigation dashboards={list} path={location.path} error={dashboards.error} />}
      <main>
        {uid !== undefined ? (
          <DashboardPage
            key={uid}
            uid={decodeURIComponent(uid)}
            location={location}
            theme={theme}
            dashboards={list}
          />
        ) : location.path === '/logs' ? (
          <LogsPage location={location} theme={theme} />
        ) : location.path === '/alerts' ? (
          <AlertsPage location={location} />
        ) : location.path === '/status' ? (
          <StatusPage location={location} />
        ) : location.path === '/' ? (
          <Home error={dashboards.error} loading={dashboards.loading} />
        ) : (
          <p class="empty">There is no page {location.path}.</p>
        )}
      </main>
      <KeyboardHelp />
    </div>
  );
}

/** The pipeline itself is what one opens the viewer for; other dashboards stay in the server's order. */
function homeFirst(list: readonly DashboardEntry[]): DashboardEntry[] {
  const isHome = ({ uid }: DashboardEntry): boolean => uid === HOME_UID;
  return [...list.filter(isHome), ...list.filter((entry) => !isHome(entry))];
}

function Navigation(props: {
  dashboards: readonly DashboardEntry[];
  path: string;
  error: string | undefined;
}): JSX.Element {
  return (
    <nav class="navigation" aria-label="Main">
      <Link href="/" class="brand">
        <img src="/assets/icon.svg" alt="" width="22" height="22" />
        Millrace
      </Link>
      <div class="nav-group">
        <h2>Dashboards</h2>
        {props.dashboards.map(({ uid, title, description }) => (
          <Link
            key={uid}
            href={`/d/${encodeURIComponent(uid)}`}
            title={description ?? ''}
            current={props.path.startsWith(`/d/${encodeURIComponent(uid)}`)}
          >
            {title}
          </Link>
        ))}
        {props.error && <p class="error">{props.error}</p>}
      </div>
      <div class="nav-group">
        <h2>Explore</h2>
        <Link href="/logs" current={props.path === '/logs'}>
          Log explorer
        </Link>
        <Link href="/alerts" current={props.path === '/alerts'}>
          Alerts
        </Link>
        <Link href="/status" current={props.path === '/status'}>
          Status
        </Link>
      </div>
      <p class="nav-foot">
        <kbd>?</kbd> keys
      </p>
    </nav>
  );
}

function Home({ error, loading }: { error: string | undefined; loading: boolean }): JSX.Element {
  if (error) return <p class="empty error">{error}</p>;
  return (
    <p class="empty">{loading ? '' : 'No dashboards yet: put dashboard files into the dashboards folder.'}</p>
  );
}
