/** What the viewer renders of classic dashboard JSON. Anything else in a file is named on its panel. */
import type { Panel } from './dashboard.ts';
import { knowsTransformation } from './transformations.ts';

export const PANEL_TYPES: readonly string[] = [
  'timeseries',
  'stat',
  'gauge',
  'bargauge',
  'table',
  'logs',
  'text',
  'row',
];

/** What of a panel the viewer cannot show, in words; empty when it can show all. */
export function unsupported(panel: Panel): string[] {
  const found: string[] = [];
  if (!PANEL_TYPES.includes(panel.type)) found.push(`panel type ${panel.type}`);
  if (panel.libraryPanel !== undefined) found.push('library panel');
  if (panel.repeat) found.push('repeat by a variable');
  for (const { id, disabled } of panel.transformations ?? []) {
    if (!disabled && !knowsTransformation(id)) found.push(`transformation ${id}`);
  }
  if (panel.type === 'text' && !['markdown', 'code', undefined].includes(panel.options?.['mode'] as string)) {
    found.push(`text as ${String(panel.options?.['mode'])}`);
  }
  const custom = panel.fieldConfig?.defaults?.custom ?? {};
  const scale = custom['scaleDistribution'] as { type?: string } | undefined;
  if (scale?.type === 'symlog') found.push('symlog scale');
  if (custom['transform'] !== undefined)
    found.push(`series transform ${JSON.stringify(custom['transform'])}`);
  if (custom['fillBelowTo'] !== undefined) found.push('fillBelowTo');
  return found;
}
