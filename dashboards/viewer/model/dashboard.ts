/**
 * Shapes of Grafana's classic dashboard JSON (schemaVersion 42) as far as the viewer reads it, and of the
 * frames that the query API returns. Files come from disk: every field may be absent.
 */

export interface Dashboard {
  uid?: string;
  title?: string;
  description?: string;
  tags?: string[];
  time?: { from?: string; to?: string };
  timezone?: string;
  refresh?: string | false;
  timepicker?: { refresh_intervals?: string[] };
  /** 0 none, 1 shared crosshair, 2 shared tooltip. */
  graphTooltip?: number;
  links?: DashboardLink[];
  templating?: { list?: Variable[] };
  annotations?: { list?: { name?: string; builtIn?: number; enable?: boolean }[] };
  panels?: Panel[];
  schemaVersion?: number;
}

export interface DashboardLink {
  title?: string;
  type?: 'link' | 'dashboards';
  url?: string;
  tags?: string[];
  keepTime?: boolean;
  includeVars?: boolean;
  targetBlank?: boolean;
}

export interface Variable {
  name: string;
  type: string;
  label?: string | null;
  description?: string | null;
  /** 0 shown, 1 without its label, 2 hidden. */
  hide?: number;
  multi?: boolean;
  includeAll?: boolean;
  query?: unknown;
  current?: { text?: unknown; value?: unknown };
  options?: VariableOption[];
}

export interface VariableOption {
  text: string;
  value: string;
}

export interface GridPos {
  x: number;
  y: number;
  w: number;
  h: number;
}

export interface Panel {
  id?: number;
  type: string;
  title?: string;
  description?: string;
  gridPos?: GridPos;
  transparent?: boolean;
  targets?: { refId?: string; hide?: boolean; datasource?: string | { type?: string } | null }[];
  timeFrom?: string | null;
  timeShift?: string | null;
  options?: Record<string, unknown>;
  fieldConfig?: { defaults?: FieldConfig; overrides?: Override[] };
  transformations?: Transformation[];
  links?: DataLink[];
  repeat?: string;
  libraryPanel?: unknown;
  /** Rows only. */
  collapsed?: boolean;
  panels?: Panel[];
}

export interface Transformation {
  id: string;
  disabled?: boolean;
  options?: Record<string, unknown>;
}

export interface DataLink {
  title?: string;
  url?: string;
  targetBlank?: boolean;
}

export interface FieldConfig {
  unit?: string;
  decimals?: number | null;
  min?: number | null;
  max?: number | null;
  noValue?: string;
  displayName?: string;
  mappings?: Mapping[];
  thresholds?: Thresholds;
  color?: ColorConfig;
  links?: DataLink[];
  custom?: Record<string, unknown>;
}

export interface Thresholds {
  mode?: 'absolute' | 'percentage';
  steps?: { value: number | null; color: string }[];
}

export interface ColorConfig {
  mode?: string;
  fixedColor?: string;
  seriesBy?: 'last' | 'min' | 'max';
}

export interface MappingResult {
  text?: string;
  color?: string;
  index?: number;
}

export type Mapping =
  | { type: 'value'; options: Record<string, MappingResult> }
  | { type: 'range'; options: { from?: number | null; to?: number | null; result: MappingResult } }
  | { type: 'regex'; options: { pattern: string; result: MappingResult } }
  | { type: 'special'; options: { match: string; result: MappingResult } };

export interface Override {
  matcher: { id: string; options?: unknown };
  properties: { id: string; value?: unknown }[];
}

export type FieldType = 'time' | 'number' | 'string' | 'boolean' | 'other';

export interface Field {
  name: string;
  type: FieldType;
  labels?: Record<string, string>;
  values: unknown[];
  /** What times have below a millisecond, in ns. */
  nanos?: number[];
}

/** Columns of equal length. Times are Unix milliseconds. */
export interface Frame {
  refId?: string;
  name?: string;
  fields: Field[];
}
