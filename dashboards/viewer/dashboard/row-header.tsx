import type { JSX } from 'preact';
import type { Panel } from '../model/dashboard.ts';

export function RowHeader(props: { panel: Panel; count: number; onToggle: () => void }): JSX.Element {
  const { panel, count, onToggle } = props;
  return (
    <button type="button" class="row-header" aria-expanded={!panel.collapsed} onClick={onToggle}>
      <span class="chevron" aria-hidden="true" />
      {panel.title ?? ''}
      {panel.collapsed && <small>{count === 1 ? '1 panel' : `${count} panels`}</small>}
    </button>
  );
}
