/**
 * The options of classic dashboard JSON that the viewer renders, by panel type: what it honours with any value,
 * and those of whose values it honours some (for what is not implemented, the default alone). An option that is
 * not here gives a notice, so a new one has to be named before it can be passed over.
 */

/** `any`, the values honoured, or a test of the value. */
export type Accepted = 'any' | readonly unknown[] | ((value: unknown) => boolean);
export type Options = Readonly<Record<string, Accepted>>;

const empty = (value: unknown): boolean =>
  value === null ||
  value === '' ||
  (Array.isArray(value) && value.length === 0) ||
  (typeof value === 'object' && Object.keys(value).length === 0);

const atMostOne = (value: unknown): boolean => Array.isArray(value) && value.length <= 1;

/** Sizes that the viewer chooses by itself: nothing is left out for want of them. */
const OWN_SIZES: Options = {
  sizing: 'any',
  minVizWidth: 'any',
  minVizHeight: 'any',
  maxVizHeight: 'any',
  'text.valueSize': 'any',
  'text.titleSize': 'any',
};

const REDUCED: Options = {
  'reduceOptions.values': 'any',
  'reduceOptions.calcs': atMostOne,
  'reduceOptions.fields': 'any',
  'reduceOptions.limit': 'any',
};

/** `options` of a panel; nested ones with a dot. */
export const PANEL_OPTIONS: Readonly<Record<string, Options>> = {
  timeseries: {
    'legend.displayMode': ['list', 'table', 'hidden'],
    'legend.placement': ['bottom', 'right'],
    'legend.showLegend': 'any',
    'legend.isVisible': 'any',
    'legend.calcs': 'any',
    'legend.sortBy': 'any',
    'legend.sortDesc': 'any',
    'legend.width': 'any',
    'tooltip.mode': ['single', 'multi', 'none'],
    'tooltip.sort': ['none', 'asc', 'desc'],
    'tooltip.hideZeros': 'any',
    'tooltip.maxWidth': 'any',
    'tooltip.maxHeight': 'any',
    orientation: ['horizontal', 'auto'],
    timezone: empty,
  },
  stat: {
    ...REDUCED,
    ...OWN_SIZES,
    colorMode: ['value', 'background', 'background_solid', 'none'],
    graphMode: ['none', 'area', 'line'],
    justifyMode: ['auto', 'center'],
    orientation: ['auto', 'horizontal', 'vertical'],
    textMode: ['auto', 'value', 'value_and_name', 'name', 'none'],
    wideLayout: 'any',
    showPercentChange: 'any',
    percentChangeColorMode: ['standard'],
  },
  gauge: {
    ...REDUCED,
    ...OWN_SIZES,
    orientation: 'any',
    showThresholdLabels: [false],
    showThresholdMarkers: 'any',
  },
  bargauge: {
    ...REDUCED,
    ...OWN_SIZES,
    displayMode: ['basic', 'gradient'],
    // It has always horizontal bars with their names on the left, which says the same.
    orientation: 'any',
    namePlacement: 'any',
    valueMode: ['color'],
    showUnfilled: [true],
    'legend.showLegend': [false],
    'legend.displayMode': 'any',
    'legend.placement': 'any',
    'legend.calcs': 'any',
  },
  table: {
    showHeader: 'any',
    frameIndex: 'any',
    sortBy: 'any',
    cellHeight: ['sm'],
    'footer.show': [false],
    'footer.reducer': 'any',
    'footer.reducers': empty,
    'footer.fields': 'any',
    'footer.countRows': [false],
    'footer.enablePagination': [false],
    enablePagination: [false],
    showTypeIcons: [false],
  },
  logs: {
    showTime: [true],
    showLabels: [false],
    showCommonLabels: [false],
    wrapLogMessage: 'any',
    prettifyLogMessage: 'any',
    enableLogDetails: [true],
    enableInfiniteScrolling: [false],
    dedupStrategy: ['none'],
    sortOrder: ['Ascending', 'Descending'],
    showControls: [false],
    showLogContextToggle: [false],
    syntaxHighlighting: [false],
    fontSize: ['default', 'small'],
    detailsMode: ['inline'],
    displayedFields: empty,
  },
  text: {
    mode: ['markdown', 'code'],
    content: 'any',
    'code.language': 'any',
    'code.showLineNumbers': [false],
    'code.showMiniMap': [false],
  },
  row: {},
};

const HIDE: Options = { 'hideFrom.viz': 'any', 'hideFrom.legend': 'any', 'hideFrom.tooltip': 'any' };

/** `custom` of a panel's field configuration. */
export const CUSTOM_OPTIONS: Readonly<Record<string, Options>> = {
  timeseries: {
    ...HIDE,
    drawStyle: ['line', 'bars', 'points'],
    lineInterpolation: ['linear', 'smooth', 'stepBefore', 'stepAfter'],
    lineWidth: 'any',
    'lineStyle.fill': ['solid', 'dash', 'dot'],
    'lineStyle.dash': 'any',
    fillOpacity: 'any',
    gradientMode: ['none', 'opacity', 'hue'],
    showPoints: ['auto', 'always', 'never'],
    showValues: [false],
    pointSize: 'any',
    'stacking.mode': ['none', 'normal', 'percent'],
    'stacking.group': 'any',
    spanNulls: 'any',
    insertNulls: [false],
    axisPlacement: ['auto', 'left', 'right', 'hidden'],
    axisLabel: 'any',
    axisSoftMin: 'any',
    axisSoftMax: 'any',
    axisGridShow: [true],
    axisCenteredZero: [false],
    axisColorMode: ['text'],
    axisBorderShow: [false],
    'scaleDistribution.type': ['linear', 'log'],
    'scaleDistribution.log': [2, 10],
    'thresholdsStyle.mode': ['off', 'line', 'dashed', 'area', 'line+area', 'dashed+area'],
    barAlignment: [0],
    barWidthFactor: 'any',
  },
  table: {
    ...HIDE,
    align: ['auto', 'left', 'center', 'right'],
    width: 'any',
    hidden: 'any',
    inspect: [false],
    filterable: [false],
    wrapText: [false],
    'cellOptions.type': ['auto', 'color-text', 'color-background', 'gauge'],
    'cellOptions.mode': ['basic', 'gradient'],
    'cellOptions.wrapText': [false],
    'cellOptions.applyToRow': [false],
    'cellOptions.valueDisplayMode': ['text', 'color'],
  },
};

const COLOR_MODES =
  /^(thresholds|fixed|shades|palette-classic|palette-classic-by-name|continuous-(GrYlRd|RdYlGr|BlYlRd|YlRd|BlPu|YlBl|blues|reds|greens|purples))$/;

/** Field configuration beside `custom`, the same for all panels. */
export const FIELD_OPTIONS: Options = {
  unit: 'any',
  decimals: 'any',
  min: 'any',
  max: 'any',
  fieldMinMax: [false],
  noValue: 'any',
  displayName: 'any',
  displayNameFromDS: empty,
  description: 'any',
  mappings: 'any',
  'thresholds.mode': ['absolute', 'percentage'],
  'thresholds.steps': 'any',
  'color.mode': (mode) => typeof mode === 'string' && COLOR_MODES.test(mode),
  'color.fixedColor': 'any',
  'color.seriesBy': ['last', 'min', 'max'],
  actions: empty,
};

export function accepts(accepted: Accepted | undefined, value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (accepted === undefined) return false;
  if (accepted === 'any') return true;
  return typeof accepted === 'function' ? accepted(value) : accepted.includes(value);
}
