/** Requests to our own server. Every failure becomes one sentence to show. */
import { useEffect, useRef, useState } from 'preact/hooks';

// An answer beyond this would stall the page long before it could be read.
const ANSWER_CHARS_MAX = 64 * 1024 * 1024;

export async function getJson<T>(url: string, signal?: AbortSignal): Promise<T> {
  return answerOf<T>(await send(url, signal ? { signal } : {}));
}

export async function getText(url: string, signal?: AbortSignal): Promise<string> {
  const response = await send(url, signal ? { signal } : {});
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  return response.text();
}

export async function postJson<T>(url: string, body: unknown, signal?: AbortSignal): Promise<T> {
  const init: RequestInit = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  };
  if (signal) init.signal = signal;
  return answerOf<T>(await send(url, init));
}

async function send(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new Error('cannot reach Millrace: the connection failed', { cause });
  }
}

async function answerOf<T>(response: Response): Promise<T> {
  const text = await response.text();
  if (text.length > ANSWER_CHARS_MAX) throw new Error(`answer too large: ${text.length} characters`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    if (response.ok) throw new Error('cannot read the answer: it is no JSON');
  }
  if (!response.ok) {
    const { message, error } = (parsed ?? {}) as { message?: unknown; error?: unknown };
    const plain = [message, error, text.slice(0, 500)].find((one) => typeof one === 'string' && one !== '');
    throw new Error(typeof plain === 'string' ? plain : `${response.status} ${response.statusText}`);
  }
  return parsed as T;
}

export interface Loaded<T> {
  data: T | undefined;
  error: string | undefined;
  loading: boolean;
}

/**
 * Loads when `key` changes (a request under way is abandoned) and when `tick` does (a request under way is
 * left alone: a slow store must not be asked faster than it answers). Old data stays until new arrives.
 * @param key undefined: nothing to load yet
 */
export function useLoaded<T>(
  load: (signal: AbortSignal) => Promise<T>,
  key: string | undefined,
  tick: number,
): Loaded<T> {
  const [state, setState] = useState<Loaded<T>>({ data: undefined, error: undefined, loading: true });
  const running = useRef<{ key: string; controller: AbortController } | undefined>(undefined);
  const latest = useRef(load);
  latest.current = load;

  useEffect(() => {
    if (key === undefined) return;
    if (running.current) {
      if (running.current.key === key) return;
      running.current.controller.abort();
    }
    const own = { key, controller: new AbortController() };
    running.current = own;
    setState((before) => (before.loading ? before : { ...before, loading: true }));
    latest.current(own.controller.signal).then(
      (data) => {
        if (running.current !== own) return;
        running.current = undefined;
        setState({ data, error: undefined, loading: false });
      },
      (cause: unknown) => {
        if (running.current !== own) return;
        running.current = undefined;
        const error = cause instanceof Error ? cause.message : String(cause);
        setState((before) => ({ data: before.data, error, loading: false }));
      },
    );
  }, [key, tick]);
  useEffect(() => () => running.current?.controller.abort(), []);
  return state;
}
