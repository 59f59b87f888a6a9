import { useEffect, useState } from 'preact/hooks';
import type { Theme } from '../model/palette.ts';

const query = '(prefers-color-scheme: light)';

/** The system's theme, or `?theme=light|dark`. */
export function useTheme(wanted: string | null): Theme {
  const [system, setSystem] = useState<Theme>(() => (window.matchMedia(query).matches ? 'light' : 'dark'));
  useEffect(() => {
    const media = window.matchMedia(query);
    const update = (): void => setSystem(media.matches ? 'light' : 'dark');
    media.addEventListener('change', update);
    return () => media.removeEventListener('change', update);
  }, []);
  const theme = wanted === 'light' || wanted === 'dark' ? wanted : system;
  useEffect(() => {
    document.documentElement.dataset['theme'] = theme;
  }, [theme]);
  return theme;
}

/** Colours that canvases need as values; the same as in style.css. */
export const CANVAS: Readonly<Record<Theme, { text: string; grid: string; panel: string; cursor: string }>> =
  {
    dark: { text: '#8b97a7', grid: '#ffffff12', panel: '#12171e', cursor: '#8b97a7' },
    light: { text: '#5d6875', grid: '#00000012', panel: '#ffffff', cursor: '#5d6875' },
  };
