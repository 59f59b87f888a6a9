/** Where a tail stands: the next offset of each partition, and its text form, the `id:` of events. */
export type Position = ReadonlyMap<number, number>;

/** `0:17,1:4`: fits a header, readable in a log. */
export function positionText(position: Position): string {
  return [...position]
    .sort(([a], [b]) => a - b)
    .map(([partition, offset]) => `${partition}:${offset}`)
    .join(',');
}

/** Undefined when it is not one of ours. */
export function parsePosition(text: string): Position | undefined {
  if (!/^\d{1,6}:\d{1,16}(,\d{1,6}:\d{1,16}){0,9999}$/.test(text)) return undefined;
  return new Map(
    text.split(',').map((pair) => {
      const [partition, offset] = pair.split(':');
      return [Number(partition), Number(offset)] as const;
    }),
  );
}

/** Everything before `other` was read. */
export function reaches(position: Position, other: Position): boolean {
  for (const [partition, offset] of other) {
    if ((position.get(partition) ?? 0) < offset) return false;
  }
  return true;
}
