import type uPlot from 'uplot';
import { colorByName, type Theme, withAlpha } from '../model/palette.ts';

export interface ThresholdLines {
  line: boolean;
  dashed: boolean;
  area: boolean;
  /** Lowest first; the first one starts at minus infinity. */
  steps: readonly { value: number | null; color: string }[];
}

/** Lines and areas behind the series, on the first value scale. */
export function drawThresholds(u: uPlot, thresholds: ThresholdLines, theme: Theme): void {
  const scale = u.axes[1]?.scale ?? 'y';
  const { min, max } = u.scales[scale] ?? {};
  if (min === undefined || max === undefined || min === null || max === null) return;
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const [index, { value, color: name }] of thresholds.steps.entries()) {
    const color = colorByName(name, theme);
    const from = Math.max(min, value ?? min);
    const to = Math.min(max, thresholds.steps[index + 1]?.value ?? max);
    if (thresholds.area && to > from) {
      const top = u.valToPos(to, scale, true);
      ctx.fillStyle = withAlpha(color, 0.08);
      ctx.fillRect(bbox.left, top, bbox.width, u.valToPos(from, scale, true) - top);
    }
    if (thresholds.line && value !== null && value >= min && value <= max) {
      const y = Math.round(u.valToPos(value, scale, true));
      ctx.strokeStyle = withAlpha(color, 0.8);
      ctx.lineWidth = devicePixelRatio;
      ctx.setLineDash(thresholds.dashed ? [8, 6] : []);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
  }
  ctx.restore();
}
