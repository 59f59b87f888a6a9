import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';

// Long enough to be read, short enough that the button says its name when wanted again.
const SAID_MS = 1500;

/** A button that puts text on the clipboard and says whether it could. */
export function Copy({ text, name }: { text: () => string; name: string }): JSX.Element {
  const [done, setDone] = useState<boolean | undefined>(undefined);
  useEffect(() => {
    if (done === undefined) return;
    const timer = setTimeout(() => setDone(undefined), SAID_MS);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = (): void => {
    // Browsers offer the clipboard on https and localhost only.
    const writing = navigator.clipboard?.writeText(text()) ?? Promise.reject(new Error('no clipboard'));
    writing.then(
      () => setDone(true),
      () => setDone(false),
    );
  };
  return (
    <button
      type="button"
      class="copy"
      onClick={(event) => {
        event.stopPropagation();
        copy();
      }}
    >
      {done === undefined ? name : done ? 'Copied' : 'Cannot copy here'}
    </button>
  );
}
