/** As JSON can hold it. */
export function plain(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return { $bytes: value.toString('base64') };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]));
}

/** The way back from `plain`. */
export function revived(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revived);
  if (typeof value !== 'object' || value === null) return value;
  if ('$bytes' in value) return Buffer.from(value.$bytes as string, 'base64');
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, revived(one)]));
}
