const LF = 0x0a;
const CR = 0x0d;

/** Where lines lie in a chunk: `starts[i]` to `ends[i]`, both relative, the end without LF or CRLF. */
export interface Spans {
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

/** Room for so many lines; `splitLines` stops when it is full. */
export function createSpans(linesMax: number): Spans {
  return { starts: new Uint32Array(linesMax), ends: new Uint32Array(linesMax) };
}

/**
 * Finds the complete lines of `chunk[0, length)`: LF and CRLF end a line, a lone CR does not.
 * Returns how many were found. What follows the last one's LF is not complete yet.
 */
export function splitLines(chunk: Buffer, length: number, spans: Spans): number {
  const { starts, ends } = spans;
  const linesMax = starts.length;
  let count = 0;
  let start = 0;
  while (count < linesMax) {
    const end = chunk.indexOf(LF, start);
    if (end === -1 || end >= length) break;
    starts[count] = start;
    ends[count] = end > start && chunk[end - 1] === CR ? end - 1 : end;
    count += 1;
    start = end + 1;
  }
  return count;
}

/** Just behind the line end that follows `ends[index]`: where the next line starts. */
export function behind(chunk: Buffer, spans: Spans, index: number): number {
  const end = spans.ends[index]!;
  return chunk[end] === CR ? end + 2 : end + 1;
}

/** Length of a cut that leaves no torn UTF-8 character behind: at most three bytes less than `length`. */
export function characterBoundary(bytes: Uint8Array, length: number): number {
  let at = length;
  while (at > 0 && length - at < 3 && (bytes[at]! & 0xc0) === 0x80) at -= 1;
  return (bytes[at]! & 0xc0) === 0x80 ? length : at;
}
