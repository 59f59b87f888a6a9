/** Columns as wide as their widest cell; from `firstNumber` on right-aligned. */
export function formatTable(
  head: readonly string[],
  rows: ReadonlyArray<readonly string[]>,
  firstNumber: number,
): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) =>
          column >= firstNumber ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
