/** What is empty because the pipeline has just started fills itself, whatever the page's refresh interval says. */
import { useEffect, useRef } from 'preact/hooks';

const AFTER_MS = 1000;
// Whatever has not arrived by then does not come from the start of the pipeline.
const FOR_MS = 20_000;

/** Asks again a second after each empty answer, while what it belongs to is new on the page. */
export function useAskAgain(empty: boolean, answer: unknown, ask: () => void): void {
  const shownMs = useRef(performance.now());
  useEffect(() => {
    if (!empty || performance.now() - shownMs.current > FOR_MS) return;
    const timer = setTimeout(() => !document.hidden && ask(), AFTER_MS);
    return () => clearTimeout(timer);
  }, [empty, answer]);
}
