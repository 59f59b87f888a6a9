/**
 * The core of `millrace logs`: stored lines, then, with `follow`, live ones, from the web server's HTTP API.
 *
 * Lines come oldest first. Stored ones are read in pages, so that `--since` is limited by patience alone. With
 * `follow` everything comes from the log itself (which keeps some days): there is no seam between what was
 * stored and what is live, so no line is missing or double.
 */
export interface LogsOptions {
  /** Of the web server: `http://localhost:3100`. */
  readonly url: string;
  /** LogQL. */
  readonly query: string;
  readonly sinceMs: number;
  readonly follow: boolean;
  /** Newest lines of the time range; undefined for all of them. */
  readonly limit: number | undefined;
  readonly output: LogsOutput;
  /** Must take everything or throw. */
  readonly write: (text: string) => void | Promise<void>;
  /** What is no line: reconnects, dropped lines. */
  readonly warn: (text: string) => void;
  readonly nowMs: () => number;
  readonly sleep: (delayMs: number, signal?: AbortSignal) => Promise<void>;
  readonly signal?: AbortSignal;
}

export type LogsOutput = 'default' | 'raw' | 'jsonl';

export interface PrintedLine {
  /** ns since 1970, decimal. */
  readonly timestampNs: string;
  readonly line: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Most that one answer of the server carries. */
const PAGE_LINES = 5_000;
const RECONNECT_MIN_MS = 500;
const RECONNECT_MAX_MS = 10_000;

/** Rejects with what the server said, or that it does not answer. */
export async function runLogs(options: LogsOptions): Promise<void> {
  if (options.follow) await followLines(options);
  else await storedLines(options);
}

async function storedLines(options: LogsOptions): Promise<void> {
  const endNs = BigInt(options.nowMs()) * 1_000_000n + 1_000_000n;
  const startNs = endNs - BigInt(Math.round(options.sinceMs)) * 1_000_000n;
  if (options.limit === undefined) {
    await forwardPages(options, startNs, endNs);
    return;
  }
  const newest: PrintedLine[][] = [];
  let left = options.limit;
  for await (const page of pages(options, startNs, endNs, 'backward', () => Math.min(PAGE_LINES, left))) {
    newest.push(page);
    left -= page.length;
    if (left <= 0) break;
  }
  for (const page of newest.reverse()) await print(options, page.reverse());
}

async function forwardPages(options: LogsOptions, startNs: bigint, endNs: bigint): Promise<void> {
  for await (const page of pages(options, startNs, endNs, 'forward', () => PAGE_LINES)) {
    await print(options, page);
  }
}

interface LokiAnswer {
  readonly data: {
    readonly result: ReadonlyArray<{
      readonly stream: Record<string, string>;
      readonly values: ReadonlyArray<
        [ns: string, line: string, more?: { structuredMetadata?: object; parsed?: object }]
      >;
    }>;
  };
}

/** A line and the stream that it came in. */
interface PagedLine {
  readonly at: bigint;
  readonly stream: string;
  readonly printed: PrintedLine;
}

/**
 * Pages of lines in time order. A page ends at a time, of which there may be more lines than it holds, so the
 * next starts at that time again and leaves out what was seen. Within a stream the server's order is fixed, so
 * what was seen is a number of lines for each stream.
 */
async function* pages(
  options: LogsOptions,
  startNs: bigint,
  endNs: bigint,
  direction: 'forward' | 'backward',
  pageLines: () => number,
): AsyncGenerator<PrintedLine[]> {
  let [from, to] = [startNs, endNs];
  let seen = new Map<string, number>();
  for (;;) {
    const seenLines = [...seen.values()].reduce((sum, count) => sum + count, 0);
    const limit = Math.min(PAGE_LINES, pageLines() + seenLines);
    const parameters = new URLSearchParams({
      query: options.query,
      start: String(from),
      end: String(to),
      limit: String(limit),
      direction,
    });
    const answer = await get(options, `/loki/api/v1/query_range?${parameters.toString()}`, {
      'x-loki-response-encoding-flags': 'categorize-labels',
    });
    const { data } = (await answer.json()) as LokiAnswer;
    const all = inOrder(data, direction);
    const border = direction === 'forward' ? from : to - 1n;
    const page = withoutSeen(all, border, seen);
    if (page.length > 0) yield page.map(({ printed }) => printed);
    if (all.length < limit) return;
    const last = all.at(-1)!.at;
    if (page.length === 0) {
      throw new Error(
        `cannot page through the lines: got ${limit} of one time (${last} ns), want fewer; narrow the query`,
      );
    }
    seen = new Map();
    for (const { at, stream } of all) if (at === last) seen.set(stream, (seen.get(stream) ?? 0) + 1);
    if (direction === 'forward') from = last;
    else to = last + 1n;
  }
}

function withoutSeen(
  lines: readonly PagedLine[],
  border: bigint,
  seen: ReadonlyMap<string, number>,
): PagedLine[] {
  const left = new Map(seen);
  return lines.filter(({ at, stream }) => {
    const count = at === border ? (left.get(stream) ?? 0) : 0;
    if (count > 0) left.set(stream, count - 1);
    return count === 0;
  });
}

/** Streams are merged by time; a line's place in its stream decides between equal times. */
function inOrder(data: LokiAnswer['data'], direction: 'forward' | 'backward'): PagedLine[] {
  const sign = direction === 'forward' ? 1 : -1;
  return data.result
    .flatMap(({ stream, values }) => {
      const key = JSON.stringify(Object.entries(stream).sort(([a], [b]) => (a < b ? -1 : 1)));
      return values.map(([timestampNs, line, more]) => ({
        at: BigInt(timestampNs),
        stream: key,
        printed: {
          timestampNs,
          line,
          labels: { ...stream, ...more?.structuredMetadata, ...more?.parsed } as Record<string, string>,
        },
      }));
    })
    .sort((a, b) => (a.at < b.at ? -sign : a.at > b.at ? sign : 0));
}

async function followLines(options: LogsOptions): Promise<void> {
  const { nowMs, signal, warn } = options;
  const fromMs = Math.floor(nowMs() - options.sinceMs);
  let position: string | undefined;
  let waitMs = RECONNECT_MIN_MS;
  let connected = false;
  while (!signal?.aborted) {
    try {
      const parameters = new URLSearchParams({ query: options.query, from: String(fromMs) });
      const answer = await get(options, `/api/tail?${parameters.toString()}`, {
        accept: 'text/event-stream',
        ...(position === undefined ? {} : { 'last-event-id': position }),
      });
      connected = true;
      waitMs = RECONNECT_MIN_MS;
      for await (const event of events(answer)) {
        if (event.data !== undefined) {
          const { lines, dropped } = JSON.parse(event.data) as { lines: PrintedLine[]; dropped: number };
          if (dropped > 0) warn(`${dropped} lines were left out: they came faster than they were taken`);
          await print(options, lines);
        }
        // After the lines are out: what was not printed is asked for again.
        position = event.id ?? position;
      }
      if (!signal?.aborted) warn('the connection ended, connecting again');
    } catch (error) {
      if (signal?.aborted) return;
      // A first failure is the caller's: a wrong address or query does not get better.
      if (!connected || error instanceof RefusedError) throw error;
      warn(`${(error as Error).message}, trying again`);
    }
    await options.sleep(waitMs, signal);
    waitMs = Math.min(RECONNECT_MAX_MS, waitMs * 2);
  }
}

interface ServerEvent {
  id?: string;
  data?: string;
}

/** Server-sent events of a response; comments are left out. */
async function* events(answer: Response): AsyncGenerator<ServerEvent> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of answer.body!) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop()!;
    for (const block of blocks) {
      const event: ServerEvent = {};
      for (const line of block.split('\n')) {
        if (line.startsWith('id: ')) event.id = line.slice(4);
        else if (line.startsWith('data: ')) event.data = line.slice(6);
      }
      yield event;
    }
  }
}

/** The server understood, and refuses: trying again is no use. */
class RefusedError extends Error {}

async function get(options: LogsOptions, path: string, headers: Record<string, string>): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(new URL(path, options.url), {
      headers,
      ...(options.signal ? { signal: options.signal } : {}),
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    const cause = (error as Error).cause;
    const reason = cause instanceof Error ? cause.message : (error as Error).message;
    throw new Error(`cannot reach ${options.url}: got ${reason || 'no answer'}, want a running web server`, {
      cause: error,
    });
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  let message = text;
  try {
    message = (JSON.parse(text) as { message?: string }).message ?? text;
  } catch {
    // Some proxy's page: shown as it is.
  }
  throw answer.status < 500 ? new RefusedError(message) : new Error(message);
}

async function print(options: LogsOptions, lines: readonly PrintedLine[]): Promise<void> {
  let text = '';
  for (const line of lines) text += `${lineText(line, options.output)}\n`;
  if (text !== '') await options.write(text);
}

/** One line of output, without its line end. */
export function lineText({ timestampNs, line, labels }: PrintedLine, output: LogsOutput): string {
  switch (output) {
    case 'raw':
      return line;
    case 'jsonl':
      return JSON.stringify({ timestampNs, labels, line });
    case 'default': {
      const level =
        labels['level'] === undefined || labels['level'] === 'unknown' ? '' : ` ${labels['level']}`;
      return `${timeText(timestampNs)} ${labels['service_name'] ?? '-'}${level} ${line}`;
    }
  }
}

/** RFC 3339 in UTC with ms. */
function timeText(timestampNs: string): string {
  return new Date(Number(BigInt(timestampNs) / 1_000_000n)).toISOString();
}
