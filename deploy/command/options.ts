/** What citty leaves out: options that may repeat, and an error for options that do not exist. */
import type { ArgsDef } from 'citty';

import { ExpectedError } from '../expected-error.ts';
import type { Path } from '../config/source.ts';
import { type LoadedSettings, loadSettings } from '../config/settings.ts';

/** Options of every command that reads the settings. */
export const settingsArgs = {
  config: {
    type: 'string',
    description: 'Settings file (default: ./millrace.yaml when present)',
    valueHint: 'FILE',
  },
  'data-dir': {
    type: 'string',
    description: 'Where everything durable lives (default: ./.millrace)',
    valueHint: 'DIR',
  },
  'port-offset': { type: 'string', description: 'Added to every default port', valueHint: 'N' },
} as const satisfies ArgsDef;

export interface SettingsArgs {
  readonly config?: string | undefined;
  readonly 'data-dir'?: string | undefined;
  readonly 'port-offset'?: string | undefined;
}

/** All values of an option that may be given more than once, in order. */
export function repeated(rawArgs: readonly string[], option: string): string[] {
  const values: string[] = [];
  for (const [index, arg] of rawArgs.entries()) {
    if (arg === `--${option}`) {
      const value = rawArgs[index + 1];
      if (value === undefined || value.startsWith('--')) throw new ExpectedError(`--${option} wants a value`);
      values.push(value);
    } else if (arg.startsWith(`--${option}=`)) values.push(arg.slice(option.length + 3));
  }
  return values;
}

/** A mistyped option would be ignored in silence otherwise. @throws ExpectedError */
export function refuseUnknown(rawArgs: readonly string[], args: ArgsDef, command: string): void {
  const known = new Set(['help', 'h', 'version', ...Object.keys(args)]);
  for (const definition of Object.values(args)) {
    for (const alias of [('alias' in definition && definition.alias) || []].flat()) known.add(alias);
  }
  for (const arg of rawArgs) {
    if (arg === '--') return;
    const match = /^--?([A-Za-z][A-Za-z0-9-]*)/.exec(arg);
    if (match && !known.has(match[1]!.replace(/^no-/, '')) && !known.has(match[1]!)) {
      throw new ExpectedError(`unknown option ${match[0]} (see \`millrace ${command} --help\`)`);
    }
  }
}

/** A whole number of an option. @throws ExpectedError */
export function wholeNumber(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text))
    throw new ExpectedError(`cannot use --${option}: got ${JSON.stringify(text)}, want a whole number`);
  return Number(text);
}

/** Settings from file, environment and the common options, plus what the command itself sets. */
export async function settingsOf(
  args: SettingsArgs,
  more: ReadonlyArray<{ option: string; path: Path; value: unknown }> = [],
): Promise<LoadedSettings> {
  const options = [...more];
  if (args['data-dir'] !== undefined) {
    options.push({ option: '--data-dir', path: ['dataDir'], value: args['data-dir'] });
  }
  const portOffset = wholeNumber(args['port-offset'], 'port-offset');
  if (portOffset !== undefined)
    options.push({ option: '--port-offset', path: ['portOffset'], value: portOffset });
  return loadSettings({ file: args.config, options });
}
