/** 1234567 as `1,234,567`. */
export function formatCount(value: number): string {
  return value.toLocaleString('en-US');
}
