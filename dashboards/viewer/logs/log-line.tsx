/** One log line and, when opened, its labels. Log text only ever becomes text nodes. */
import type { ComponentChild, JSX } from 'preact';
import { useState } from 'preact/hooks';
import { formatClock, formatDay } from '../model/time-range.ts';
import { ansiSpans, hasAnsi } from './ansi.ts';
import { Copy } from '../shell/copy.tsx';
import { type LogRow, nsToMs, subSecond } from './log-row.ts';

// Longer lines are cut until asked for: one 19 MB line must not freeze the page.
const LINE_CHARS_MAX = 16_384;
// A line that is not opened shows its beginning: wrapped, one of 16 kB alone would fill the screen.
const CLOSED_CHARS_MAX = 2000;
// Marking terms costs a pass over the line; nobody looks for a mark in the middle of this much.
const MARK_CHARS_MAX = 4096;

export interface LogLineOptions {
  utc: boolean;
  wrap: boolean;
  pretty: boolean;
  showDay: boolean;
  /** Labels shown before the line. */
  columns: readonly string[];
  terms: readonly string[];
  onFilter?: ((label: string, op: '=' | '!=', value: string) => void) | undefined;
  onContext?: ((row: LogRow) => void) | undefined;
  /** Address of a page that shows the line again. */
  linkTo?: ((row: LogRow) => string) | undefined;
}

export function LogLine(props: {
  row: LogRow;
  options: LogLineOptions;
  open: boolean;
  focused: boolean;
  onToggle: () => void;
}): JSX.Element {
  const { row, options, open } = props;
  const ms = nsToMs(row.timeNs);
  const classes = ['log-line', `level-${row.level}`, open ? 'open' : '', props.focused ? 'focused' : ''];
  const toggle = (): void => {
    // Marking text in a line is not a click on it.
    if ((window.getSelection()?.toString() ?? '') === '') props.onToggle();
  };
  return (
    <div class={classes.filter(Boolean).join(' ')} data-level={row.level}>
      <div class={options.wrap ? 'log-head wrap' : 'log-head'} onClick={toggle}>
        <time
          title={`${formatDay(ms, options.utc)} ${formatClock(ms, options.utc)}.${subSecond(row.timeNs)}`}
        >
          {options.showDay && `${formatDay(ms, options.utc).slice(5)} `}
          {formatClock(ms, options.utc, true)}
        </time>
        <span class="level-word">{row.level === 'unknown' ? '' : row.level}</span>
        {options.columns.map((name) => (
          <span class="log-column" key={name} title={name}>
            {row.labels[name] ?? ''}
          </span>
        ))}
        <LineText row={row} options={options} open={open} />
      </div>
      {open && <Details row={row} options={options} />}
    </div>
  );
}

function LineText(props: { row: LogRow; options: LogLineOptions; open: boolean }): JSX.Element {
  const { row, options, open } = props;
  const [whole, setWhole] = useState(false);
  const max = open ? LINE_CHARS_MAX : CLOSED_CHARS_MAX;
  const cut = !whole && row.line.length > max;
  let text = cut ? row.line.slice(0, max) : row.line;
  if (options.pretty && text.length < LINE_CHARS_MAX) text = prettyJson(text);
  return (
    <span class="log-text">
      {hasAnsi(text)
        ? ansiSpans(text).map((span, index) => (
            <span class={span.class} key={index}>
              {span.text}
            </span>
          ))
        : marked(text, options.terms)}
      {cut && !open && ' …'}
      {cut && open && (
        <button
          type="button"
          class="more"
          onClick={(event) => {
            event.stopPropagation();
            setWhole(true);
          }}
        >
          show all {row.line.length.toLocaleString('en-US')} characters
        </button>
      )}
    </span>
  );
}

function marked(text: string, terms: readonly string[]): ComponentChild {
  if (terms.length === 0 || text.length > MARK_CHARS_MAX) return text;
  const parts: ComponentChild[] = [];
  let at = 0;
  while (at < text.length) {
    let next = -1;
    let found = '';
    for (const term of terms) {
      const index = text.indexOf(term, at);
      if (index >= 0 && (next < 0 || index < next)) [next, found] = [index, term];
    }
    if (next < 0) break;
    if (next > at) parts.push(text.slice(at, next));
    parts.push(<mark>{found}</mark>);
    at = next + found.length;
  }
  if (at < text.length) parts.push(text.slice(at));
  return parts;
}

function prettyJson(text: string): string {
  if (!/^\s*[{[]/.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function Details({ row, options }: { row: LogRow; options: LogLineOptions }): JSX.Element {
  const ms = nsToMs(row.timeNs);
  const entries = Object.entries(row.labels).sort(([a], [b]) => (a < b ? -1 : 1));
  const json = (): string =>
    JSON.stringify({ timestamp: row.timeNs, level: row.level, line: row.line, labels: row.labels }, null, 2);
  return (
    <div class="log-details">
      <div class="log-actions">
        <Copy text={() => row.line} name="Copy line" />
        <Copy text={json} name="Copy JSON" />
        {options.linkTo && (
          <Copy text={() => new URL(options.linkTo?.(row) ?? '', location.href).href} name="Copy link" />
        )}
        {options.onContext && (
          <button type="button" onClick={() => options.onContext?.(row)}>
            Lines around
          </button>
        )}
        <code class="muted">
          {formatDay(ms, options.utc)} {formatClock(ms, options.utc)}.{subSecond(row.timeNs)}
        </code>
      </div>
      <table>
        <tbody>
          {entries.map(([name, value]) => (
            <tr key={name}>
              {options.onFilter && (
                <td class="filter-buttons">
                  <button
                    type="button"
                    title={`Only ${name} = ${value}`}
                    aria-label={`Only lines with this ${name}`}
                    onClick={() => options.onFilter?.(name, '=', value)}
                  >
                    +
                  </button>
                  <button
                    type="button"
                    title={`Without ${name} = ${value}`}
                    aria-label={`Without lines of this ${name}`}
                    onClick={() => options.onFilter?.(name, '!=', value)}
                  >
                    −
                  </button>
                </td>
              )}
              <th>{name}</th>
              <td class="label-value">
                {value} <Copy text={() => value} name="Copy" />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
