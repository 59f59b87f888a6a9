import type { JSX } from 'preact';
import { Markdown } from '../model/markdown.tsx';
import type { PanelProps } from './panels.ts';

export function TextPanel({ panel }: PanelProps): JSX.Element {
  const content = panel.options?.['content'];
  const text = typeof content === 'string' ? content : '';
  if (panel.options?.['mode'] === 'code') {
    return (
      <pre class="text-code">
        <code>{text}</code>
      </pre>
    );
  }
  return <Markdown text={text} />;
}
