/**
 * From frames to what panels draw: defaults and overrides merged per field, display names, units, mappings,
 * thresholds and colours.
 */
import type {
  ColorConfig,
  Field,
  FieldConfig,
  Frame,
  MappingResult,
  Override,
  Panel,
  Thresholds,
} from './dashboard.ts';
import {
  classicColor,
  classicColorByName,
  colorByName,
  continuousColor,
  isContinuous,
  type Theme,
} from './palette.ts';
import { formatUnit, type FormattedValue } from './units.ts';
import { reduceValues } from './reducers.ts';

export interface DisplayField extends Field {
  refId: string | undefined;
  displayName: string;
  config: FieldConfig;
  /** Place among all numeric fields of the panel: picks the palette colour. */
  seriesIndex: number;
  theme: Theme;
}

export interface DisplayFrame {
  refId: string | undefined;
  length: number;
  fields: DisplayField[];
}

export interface DisplayValue extends FormattedValue {
  color: string;
  /** True when a value mapping gave the colour. */
  mapped?: boolean;
}

/** Applies the panel's `fieldConfig`. Notices name what the viewer does not know. */
export function prepareFrames(
  frames: readonly Frame[],
  panel: Pick<Panel, 'fieldConfig'>,
  theme: Theme,
): { frames: DisplayFrame[]; notices: string[] } {
  const defaults = panel.fieldConfig?.defaults ?? {};
  const overrides = panel.fieldConfig?.overrides ?? [];
  const notices: string[] = [];
  let seriesIndex = 0;
  const result = frames.map((frame) => {
    const fields = frame.fields.map((field) => {
      const plainName = displayNameOf(field, frame);
      const config = configOf(field, plainName, frame.refId, defaults, overrides, notices);
      return {
        ...field,
        refId: frame.refId,
        config,
        displayName: config.displayName ? expandName(config.displayName, field, plainName) : plainName,
        seriesIndex: field.type === 'number' ? seriesIndex++ : 0,
        theme,
      };
    });
    return { refId: frame.refId, length: frame.fields[0]?.values.length ?? 0, fields };
  });
  return { frames: result, notices: [...new Set(notices)] };
}

/** Grafana's rule: a column named exactly `Value` shows its labels only; one label shows just its value. */
export function displayNameOf(field: Field, frame?: Frame): string {
  const labels = Object.entries(field.labels ?? {});
  const bare = field.name === 'Value' || field.name === '';
  if (labels.length === 0) return field.name === '' ? (frame?.name ?? 'Value') : field.name;
  const text =
    labels.length === 1
      ? (labels[0]?.[1] ?? '')
      : `{${labels.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(', ')}}`;
  return bare ? text : `${field.name} ${text}`;
}

function expandName(template: string, field: Field, plainName: string): string {
  return template.replaceAll(
    /\$\{__field\.(name|displayName|labels\.([\w.-]+)|labels)\}/g,
    (_, what, label) => {
      if (what === 'name') return field.name;
      if (what === 'displayName') return plainName;
      if (label) return field.labels?.[label as string] ?? '';
      return Object.values(field.labels ?? {}).join(', ');
    },
  );
}

function configOf(
  field: Field,
  displayName: string,
  refId: string | undefined,
  defaults: FieldConfig,
  overrides: readonly Override[],
  notices: string[],
): FieldConfig {
  const config: FieldConfig = { ...defaults, custom: { ...defaults.custom } };
  for (const override of overrides) {
    if (!matches(override, field, displayName, refId, notices)) continue;
    for (const { id, value } of override.properties) {
      if (id.startsWith('custom.')) (config.custom ??= {})[id.slice('custom.'.length)] = value;
      else (config as Record<string, unknown>)[id] = value;
    }
  }
  return config;
}

function matches(
  { matcher }: Override,
  field: Field,
  displayName: string,
  refId: string | undefined,
  notices: string[],
): boolean {
  const { id, options } = matcher;
  switch (id) {
    case 'byName':
      return options === field.name || options === displayName;
    case 'byRegexp': {
      const pattern = regexOf(String(options));
      if (!pattern) notices.push(`override by a regular expression that cannot be read: ${String(options)}`);
      return pattern !== undefined && (pattern.test(field.name) || pattern.test(displayName));
    }
    case 'byNames': {
      const wanted = options as { mode?: string; names?: string[] } | undefined;
      const named = (wanted?.names ?? []).includes(displayName) || (wanted?.names ?? []).includes(field.name);
      return wanted?.mode === 'exclude' ? !named : named;
    }
    case 'byType':
      return options === field.type;
    case 'byFrameRefID':
      return options === refId;
    default:
      notices.push(`override matcher ${id}`);
      return false;
  }
}

/** `/pattern/flags` or a bare pattern. */
export function regexOf(text: string): RegExp | undefined {
  const slashed = /^\/(.*)\/([a-z]*)$/s.exec(text);
  try {
    return slashed
      ? new RegExp(slashed[1] ?? '', (slashed[2] ?? '').replaceAll(/[gy]/g, ''))
      : new RegExp(text);
  } catch {
    return undefined;
  }
}

export function displayValue(field: DisplayField, value: unknown): DisplayValue {
  const { config, theme } = field;
  const mapped = mappingOf(field, value);
  const color = mapped?.color ? colorByName(mapped.color, theme) : valueColor(field, value);
  if (mapped?.text !== undefined && mapped.text !== '') return { text: mapped.text, color, mapped: true };
  if (value === null || value === undefined) return { text: config.noValue ?? '', color };
  if (typeof value === 'number' && field.type !== 'time') {
    return { ...formatUnit(config.unit, value, config.decimals), color };
  }
  return { text: textOf(value), color };
}

export function displayText(field: DisplayField, value: unknown): string {
  const { prefix = '', text, suffix = '' } = displayValue(field, value);
  return prefix + text + suffix;
}

/** Any cell as text, objects as JSON. */
export function textOf(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint')
    return String(value);
  return JSON.stringify(value);
}

function mappingOf(field: DisplayField, value: unknown): MappingResult | undefined {
  for (const mapping of field.config.mappings ?? []) {
    switch (mapping.type) {
      case 'value': {
        const key = textOf(value);
        if (Object.hasOwn(mapping.options, key)) return mapping.options[key];
        break;
      }
      case 'range': {
        const { from, to, result } = mapping.options;
        if (typeof value === 'number' && value >= (from ?? -Infinity) && value <= (to ?? Infinity))
          return result;
        break;
      }
      case 'regex':
        if (typeof value === 'string' && regexOf(mapping.options.pattern)?.test(value)) {
          return mapping.options.result;
        }
        break;
      case 'special':
        if (isSpecial(mapping.options.match, value)) return mapping.options.result;
        break;
    }
  }
  return undefined;
}

function isSpecial(match: string, value: unknown): boolean {
  const missing = value === null || value === undefined;
  const nan = typeof value === 'number' && Number.isNaN(value);
  switch (match) {
    case 'null':
      return missing;
    case 'nan':
      return nan;
    case 'null+nan':
      return missing || nan;
    case 'true':
      return value === true;
    case 'false':
      return value === false;
    case 'empty':
      return value === '';
    default:
      return false;
  }
}

/** The colour of one value: by threshold, scheme or the series' own. */
export function valueColor(field: DisplayField, value: unknown): string {
  const { config, theme } = field;
  const mode = config.color?.mode ?? 'thresholds';
  if (mode === 'thresholds') return thresholdColor(config, value, theme);
  if (isContinuous(mode)) return continuousColor(mode, shareOf(field, value), theme);
  return seriesColor(field);
}

/** One colour for a whole series. */
export function seriesColor(field: DisplayField): string {
  const { config, theme } = field;
  const color: ColorConfig = config.color ?? { mode: 'palette-classic' };
  switch (color.mode) {
    case 'fixed':
    case 'shades':
      return colorByName(color.fixedColor, theme);
    case 'palette-classic-by-name':
      return classicColorByName(field.displayName, theme);
    case 'thresholds':
      return thresholdColor(config, reduceValues(color.seriesBy ?? 'last', field.values), theme);
    case undefined:
    case 'palette-classic':
      return classicColor(field.seriesIndex, theme);
    default: {
      const value = reduceValues(color.seriesBy ?? 'last', field.values);
      return isContinuous(color.mode)
        ? continuousColor(color.mode, shareOf(field, value), theme)
        : classicColor(field.seriesIndex, theme);
    }
  }
}

/** Threshold steps with their bounds as plain values, lowest first. */
export function thresholdSteps(config: FieldConfig): { value: number; color: string }[] {
  const thresholds: Thresholds = config.thresholds ?? {};
  const steps = (thresholds.steps ?? [{ value: null, color: 'green' }]).map(({ value, color }) => ({
    value: value === null ? -Infinity : toAbsolute(value, thresholds.mode, config),
    color,
  }));
  return steps.sort((a, b) => a.value - b.value);
}

function toAbsolute(value: number, mode: string | undefined, { min, max }: FieldConfig): number {
  if (mode !== 'percentage') return value;
  const low = min ?? 0;
  return low + ((max ?? 100) - low) * (value / 100);
}

export function thresholdColor(config: FieldConfig, value: unknown, theme: Theme): string {
  const steps = thresholdSteps(config);
  let color = steps[0]?.color;
  if (typeof value === 'number') for (const step of steps) if (value >= step.value) color = step.color;
  return colorByName(color, theme);
}

/** Where a value lies between the field's bounds, 0 to 1. Bounds default to the data's own. */
export function shareOf(field: DisplayField, value: unknown): number {
  if (typeof value !== 'number') return 0;
  const { min, max } = boundsOf(field);
  return max === min ? 0 : Math.min(1, Math.max(0, (value - min) / (max - min)));
}

export function boundsOf(field: DisplayField): { min: number; max: number } {
  const { config, values } = field;
  const percent = config.unit === 'percent' ? 100 : config.unit === 'percentunit' ? 1 : undefined;
  const min = config.min ?? (percent === undefined ? reduceValues('min', values) : 0) ?? 0;
  const max = config.max ?? percent ?? reduceValues('max', values) ?? 100;
  return { min, max: max === min ? min + 1 : max };
}
