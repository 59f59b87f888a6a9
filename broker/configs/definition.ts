/** What DescribeConfigs, AlterConfigs and their checks need to know of one setting, under Kafka's names. */
export const CONFIG_TYPE = {
  unknown: 0,
  boolean: 1,
  string: 2,
  int: 3,
  short: 4,
  long: 5,
  double: 6,
  list: 7,
  class: 8,
  password: 9,
} as const;

export const CONFIG_SOURCE = {
  topic: 1,
  dynamicBroker: 2,
  dynamicDefaultBroker: 3,
  staticBroker: 4,
  default: 5,
  brokerLogger: 6,
  clientMetrics: 7,
  group: 8,
} as const;

export const RESOURCE = { topic: 2, broker: 4, brokerLogger: 8, clientMetrics: 16, group: 32 } as const;

export type ConfigType = keyof typeof CONFIG_TYPE;
/** Settings of one resource, by name. */
export type Configs = Readonly<Record<string, string>>;
/** What a value has to be, undefined when it is that. */
export type Check = (value: string) => string | undefined;

export interface Definition {
  readonly name: string;
  readonly type: ConfigType;
  readonly check: Check;
  /** What it does; where it does nothing, that. */
  readonly documentation: string;
  /** The file that acts by it; undefined where nothing does. */
  readonly actsIn: string | undefined;
}

export interface Synonym {
  readonly name: string;
  readonly value: string | null;
  readonly source: number;
}

/** A setting as DescribeConfigs tells it. */
export interface ConfigEntry {
  readonly name: string;
  readonly value: string | null;
  readonly type: ConfigType;
  readonly source: number;
  readonly readOnly: boolean;
  readonly sensitive: boolean;
  readonly documentation: string;
  /** Every place that has a value, the one that holds first. */
  readonly synonyms: readonly Synonym[];
}

/** Why these cannot be the settings of a resource, undefined when they can. */
export function configsProblem(
  byName: ReadonlyMap<string, Definition>,
  configs: Readonly<Record<string, string | null>>,
  kind: string,
): string | undefined {
  for (const [name, value] of Object.entries(configs)) {
    const known = byName.get(name);
    if (!known) return `cannot set ${name.slice(0, 300)}: got a name that is no ${kind} setting`;
    const problem = valueProblem(known, value);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

export function valueProblem({ name, check }: Definition, value: string | null): string | undefined {
  if (value === null) return `cannot set ${name}: got null, want a value`;
  const problem = check(value);
  return problem === undefined
    ? undefined
    : `cannot set ${name}: got ${JSON.stringify(value.slice(0, 300))}, want ${problem}`;
}

/** The items of a list's value, as Kafka splits it. */
export function itemsOf(value: string): string[] {
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
