/** The live tail's connection: server-sent events into the ring, one change of the page per frame. */
import { useEffect, useReducer, useRef } from 'preact/hooks';
import { type LogRow, type PlainLine, rowsOf } from './log-row.ts';
import { step, TAIL_START, type TailEvent, type TailState } from './tail-state.ts';

interface TailMessage {
  lines: { timestampNs: string; line: string; labels: Record<string, string> }[];
  dropped?: number;
}

// The browser gives up on an answer that is no event stream (503, a restart); we ask again after this.
const RETRY_MS = 2000;

export interface Tail {
  state: TailState;
  send: (event: TailEvent) => void;
  error: string | undefined;
}

/** @param query undefined: not live */
export function useTail(query: string | undefined): Tail {
  const [state, send] = useReducer(step, TAIL_START);
  const error = useRef<string | undefined>(undefined);
  useEffect(() => {
    if (query === undefined) return;
    send({ type: 'clear' });
    let source: EventSource | undefined;
    let retry: ReturnType<typeof setTimeout> | undefined;
    let frame = 0;
    let waiting: PlainLine[] = [];
    let dropped = 0;
    let position = '';
    // A new connection of ours goes on where the last one ended; the browser's own does so by itself.
    const address = (): string =>
      `/api/tail?${new URLSearchParams({ query, ...(position === '' ? {} : { position }) })}`;
    const flush = (): void => {
      frame = 0;
      const rows: LogRow[] = rowsOf(waiting);
      send({ type: 'lines', rows, dropped });
      waiting = [];
      dropped = 0;
    };
    const connect = (): void => {
      source = new EventSource(address());
      source.addEventListener('open', () => {
        error.current = undefined;
        send({ type: 'opened' });
      });
      source.addEventListener('lines', (event: MessageEvent<string>) => {
        position = event.lastEventId;
        const message = JSON.parse(event.data) as TailMessage;
        for (const { timestampNs, line, labels } of message.lines)
          waiting.push({ timeNs: timestampNs, line, labels });
        dropped += message.dropped ?? 0;
        if (frame === 0) frame = requestAnimationFrame(flush);
      });
      source.addEventListener('error', () => {
        send({ type: 'lost' });
        if (source?.readyState !== EventSource.CLOSED) return;
        void explain(query).then((text) => {
          error.current = text;
          send({ type: 'lost' });
        });
        retry = setTimeout(connect, RETRY_MS);
      });
    };
    connect();
    return () => {
      source?.close();
      clearTimeout(retry);
      cancelAnimationFrame(frame);
    };
  }, [query]);
  return { state, send, error: error.current };
}

/** An event source hides why it was refused: ask once more and read the message. */
async function explain(query: string): Promise<string | undefined> {
  const controller = new AbortController();
  try {
    const response = await fetch(`/api/tail?${new URLSearchParams({ query })}`, {
      signal: controller.signal,
    });
    if (response.ok) return undefined;
    const { message } = (await response.json()) as { message?: string };
    return message;
  } catch {
    return 'cannot reach Millrace: the connection failed';
  } finally {
    controller.abort();
  }
}
