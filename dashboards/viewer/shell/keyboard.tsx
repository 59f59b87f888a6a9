/** Keys: `/` search, `j` and `k` move, `p` pause, `w` wrap, `?` this help. */
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

/** @param bindings key to action; keys typed into fields are left alone */
export function useKeys(bindings: Readonly<Record<string, () => void>>): void {
  const latest = useRef(bindings);
  latest.current = bindings;
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      const target = event.target instanceof Element ? event.target : undefined;
      if (event.ctrlKey || event.metaKey || event.altKey || target?.closest('input,textarea,select')) return;
      if (!Object.hasOwn(latest.current, event.key)) return;
      event.preventDefault();
      latest.current[event.key]?.();
    };
    document.addEventListener('keydown', pressed);
    return () => document.removeEventListener('keydown', pressed);
  }, []);
}

const KEYS: readonly [string, string][] = [
  ['/', 'go to the query or filter'],
  ['j', 'next line or panel'],
  ['k', 'line or panel before'],
  ['Enter', 'open the line'],
  ['p', 'pause or resume the live tail, or the refresh'],
  ['w', 'wrap long lines'],
  ['?', 'show or hide this help'],
];

export function KeyboardHelp(): JSX.Element | null {
  const [open, setOpen] = useState(false);
  useKeys({ '?': () => setOpen(!open), ...(open ? { Escape: () => setOpen(false) } : {}) });
  if (!open) return null;
  return (
    <div class="overlay" onClick={() => setOpen(false)}>
      <div class="popover keys" role="dialog" aria-label="Keys">
        <h2>Keys</h2>
        <dl>
          {KEYS.map(([key, text]) => (
            <div key={key}>
              <dt>
                <kbd>{key}</kbd>
              </dt>
              <dd>{text}</dd>
            </div>
          ))}
        </dl>
      </div>
    </div>
  );
}
