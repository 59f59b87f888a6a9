/** The URL is the state: what is shown can be copied, reloaded and gone back from. */
import { useEffect, useState } from 'preact/hooks';

export interface Location {
  path: string;
  params: URLSearchParams;
}

/** null removes a parameter, a list repeats it. */
export type ParamChanges = Readonly<Record<string, string | readonly string[] | null>>;

const listeners = new Set<() => void>();

function read(): Location {
  return { path: window.location.pathname, params: new URLSearchParams(window.location.search) };
}

export function useLocation(): Location {
  const [location, setLocation] = useState(read);
  useEffect(() => {
    const update = (): void => setLocation(read());
    listeners.add(update);
    window.addEventListener('popstate', update);
    return () => {
      listeners.delete(update);
      window.removeEventListener('popstate', update);
    };
  }, []);
  return location;
}

/** @param url path and query within the viewer */
export function navigate(url: string, replace = false): void {
  if (replace) window.history.replaceState(null, '', url);
  else window.history.pushState(null, '', url);
  for (const listener of listeners) listener();
}

/** Changes parameters of the page shown. Typing replaces the history entry, choices add one. */
export function setParams(changes: ParamChanges, replace = false): void {
  const { path, params } = read();
  applyChanges(params, changes);
  navigate(urlOf(path, params), replace);
}

export function applyChanges(params: URLSearchParams, changes: ParamChanges): void {
  for (const [name, value] of Object.entries(changes)) {
    params.delete(name);
    if (value === null) continue;
    for (const one of typeof value === 'string' ? [value] : value) params.append(name, one);
  }
}

/** `$`, `:`, `/`, `*` and commas stay readable in a query. */
export function urlOf(path: string, params: URLSearchParams): string {
  const query = params
    .toString()
    .replaceAll('%24', '$')
    .replaceAll('%3A', ':')
    .replaceAll('%2F', '/')
    .replaceAll('%2C', ',');
  return query === '' ? path : `${path}?${query}`;
}

/** A click that should stay within the page: left button, no modifier. */
export function isPlainClick(event: MouseEvent): boolean {
  return event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
}
