/** What runs, where it listens, what the log holds and who reads it. */
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { getJson, getText, type Loaded, useLoaded } from '../shell/api.ts';
import type { Location } from '../shell/location.ts';
import { usePageTime } from '../shell/time.tsx';
import { RefreshPicker, TopBar, ZoneSwitch } from '../shell/top-bar.tsx';
import {
  GROUP_COLUMNS,
  PART_COLUMNS,
  parseSamples,
  STATUS_METRICS,
  TOPIC_COLUMNS,
  withColumns,
} from './metrics-text.ts';
import { cellText, columnTitle, type PlainRecord, RecordTable } from './record-table.tsx';

export function StatusPage({ location }: { location: Location }): JSX.Element {
  const time = usePageTime(location, { from: 'now-1h', to: 'now', refresh: '5s' });
  useEffect(() => {
    document.title = 'Status - Millrace';
  }, []);
  const status = useLoaded((signal) => getJson<PlainRecord>('/api/status', signal), 'status', time.tick);
  const topics = useLoaded((signal) => getJson<unknown>('/api/topics', signal), 'topics', time.tick);
  const groups = useLoaded((signal) => getJson<unknown>('/api/groups', signal), 'groups', time.tick);
  const metrics = useLoaded(
    async (signal) => parseSamples(await getText('/metrics', signal), STATUS_METRICS),
    'metrics',
    time.tick,
  );
  const samples = metrics.data ?? [];
  const { parts, ...rest } = status.data ?? {};
  const facts = Object.entries(rest).filter(
    ([name, value]) => name !== 'now' && value !== null && typeof value !== 'object',
  );
  const addresses = (rest['addresses'] ?? {}) as PlainRecord;
  return (
    <>
      <TopBar title="Status">
        <span class="time-controls">
          <RefreshPicker time={time} choices={['5s', '10s', '30s', '1m']} />
          <ZoneSwitch utc={time.utc} />
        </span>
      </TopBar>
      <div class="page status-page">
        <Section title="Parts" loaded={status}>
          {facts.length > 0 && (
            <p class="facts">
              {facts.map(([name, value]) => (
                <span key={name}>
                  {columnTitle(name)} <b>{cellText(name, value, time.utc)}</b>
                </span>
              ))}
            </p>
          )}
          <RecordTable
            records={withColumns(listOf(parts), samples, PART_COLUMNS, { name: 'part' }).map(withUptime)}
            first={[
              'part',
              'name',
              'state',
              'version',
              'pid',
              'restarts',
              'residentBytes',
              'uptimeMs',
              'addresses',
            ]}
            utc={time.utc}
            empty="The web part runs alone here: other parts report only where `millrace up` runs them."
          />
          {Object.keys(addresses).length > 0 && (
            <RecordTable
              records={Object.entries(addresses).map(([name, address]) => ({ name, address }))}
              first={['name', 'address']}
              utc={time.utc}
              empty=""
            />
          )}
        </Section>
        <Section title="Topics" loaded={topics}>
          <RecordTable
            records={withColumns(listOf(topics.data, 'topics'), samples, TOPIC_COLUMNS, { name: 'topic' })}
            first={['topic', 'name', 'partitions', 'records', 'sizeBytes', 'retentionUsedRatio', 'internal']}
            utc={time.utc}
            empty="No topics yet."
          />
        </Section>
        <Section title="Consumer groups" loaded={groups}>
          <RecordTable
            records={withColumns(listOf(groups.data, 'groups'), samples, GROUP_COLUMNS, {
              groupId: 'group',
              topic: 'topic',
            })}
            first={[
              'group',
              'groupId',
              'name',
              'state',
              'members',
              'topic',
              'partitions',
              'lag',
              'lagBytes',
              'lagSeconds',
            ]}
            utc={time.utc}
            empty="No consumer groups yet."
          />
        </Section>
      </div>
    </>
  );
}

function Section(props: {
  title: string;
  loaded: Loaded<unknown>;
  children: JSX.Element | (JSX.Element | false)[];
}) {
  const { title, loaded } = props;
  return (
    <section
      class="panel block"
      data-state={loaded.error ? 'error' : loaded.data === undefined ? 'loading' : 'ready'}
    >
      <header>
        <h3>{title}</h3>
      </header>
      {loaded.error && <p class="panel-error">{loaded.error}</p>}
      {loaded.data !== undefined && props.children}
    </section>
  );
}

/** How long a part has been in its state is what one asks; when that began follows from it. */
function withUptime({ sinceMs, ...record }: PlainRecord): PlainRecord {
  return typeof sinceMs === 'number' ? { ...record, uptimeMs: Math.max(0, Date.now() - sinceMs) } : record;
}

/** A list, or the list under `name`; a group's topics become a row each. */
function listOf(value: unknown, name?: string): PlainRecord[] {
  const list = Array.isArray(value) ? value : name ? (value as PlainRecord | undefined)?.[name] : undefined;
  if (!Array.isArray(list)) return [];
  return (list as PlainRecord[]).flatMap((record) => {
    const nested = record['topics'];
    if (!Array.isArray(nested) || nested.length === 0 || typeof nested[0] !== 'object') return [record];
    const { topics, ...own } = record;
    return (topics as PlainRecord[]).map(({ partitions, ...topic }) =>
      Array.isArray(partitions)
        ? { ...own, ...topic }
        : { ...own, ...topic, ...(partitions === undefined ? {} : { partitions }) },
    );
  });
}
