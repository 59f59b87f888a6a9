/** What values may be, as Kafka takes them: numbers are whole and may have spaces around, booleans any case. */
import { type Check, itemsOf } from './definition.ts';

/** Java's Long.MAX_VALUE, which Kafka's settings use for "without end". */
export const LONG_MAX = 9_223_372_036_854_775_807n;
export const INFINITE = String(LONG_MAX);
export const INT_MAX = 2 ** 31 - 1;

export function oneOf(...choices: readonly string[]): Check {
  return (value) => (choices.includes(value) ? undefined : choices.join(' or '));
}

export const boolean: Check = (value) => (/^\s*(true|false)\s*$/i.test(value) ? undefined : 'true or false');

export const anything: Check = () => undefined;

export function listOf(...choices: readonly string[]): Check {
  return (value) =>
    itemsOf(value).every((one) => choices.includes(one)) ? undefined : `a list of ${choices.join(' and ')}`;
}

/** Ids as Kafka's clients may have them; one with a comma cannot be in a list. */
export function groups(countMax: number): Check {
  return (value) =>
    itemsOf(value).length <= countMax && itemsOf(value).every((one) => one.length <= 249)
      ? undefined
      : `a list of at most ${countMax} group ids of at most 249 characters`;
}

export function whole(min: number, max: number | bigint): Check {
  return (value) => {
    const text = value.trim();
    if (!/^[+-]?\d{1,30}$/.test(text)) return `a number from ${min} to ${max}`;
    const number = BigInt(text.replace('+', ''));
    return number >= BigInt(min) && number <= BigInt(max) ? undefined : `a number from ${min} to ${max}`;
  };
}

export const int = (min: number, max: number = INT_MAX): Check => whole(min, max);
export const long = (min: number): Check => whole(min, LONG_MAX);

/** Replicas as `partition:node` pairs, or all of them. */
export const replicas: Check = (value) =>
  value.trim() === '*' || itemsOf(value).every((one) => /^\d+:\d+$/.test(one))
    ? undefined
    : 'partition:node pairs, or *';

/** -1 stands for the codec's own default. */
export const gzipLevel: Check = (value) =>
  int(-1, 9)(value) === undefined && Number(value) !== 0 ? undefined : 'a number from 1 to 9, or -1';

export function fraction(min: number, max: number): Check {
  return (value) => {
    const number = Number(value);
    const fits = value.trim() !== '' && number >= min && number <= max;
    return fits ? undefined : `a number from ${min} to ${max}`;
  };
}
