/**
 * Frames and headers.
 *
 *     frame    = length:int32 (of what follows) header body
 *     request  = apiKey:int16 apiVersion:int16 correlationId:int32 clientId:nullable-int16-string [tags] body
 *     response = correlationId:int32 [tags] body
 *
 * Flexible versions carry the tags; the client id stays a classic string. ApiVersions responses never carry
 * header tags, so that a client which guessed too high can read the error.
 */
import type { Api } from './codec.ts';
import { Reader } from './reader.ts';
import { WireError } from './wire-error.ts';
import { Writer } from './writer.ts';

const API_VERSIONS_KEY = 18;

export interface RequestHeader {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;
}

/** Reads all but the tags of a flexible header, which need the API's schema: see `skipRequestTags`. */
export function readRequestHeader(reader: Reader): RequestHeader {
  const apiKey = reader.int16();
  const apiVersion = reader.int16();
  const correlationId = reader.int32();
  const clientId = reader.string(reader.int16());
  return { apiKey, apiVersion, correlationId, clientId };
}

export function skipRequestTags(reader: Reader, api: Api, version: number): void {
  if (version >= api.flexibleFrom) reader.skipTags();
}

/** A whole request frame, as a client sends it. */
export function requestFrame<In>(
  api: { key: number; flexibleFrom: number; request: { encode(w: Writer, v: number, value: In): void } },
  header: { readonly version: number; readonly correlationId: number; readonly clientId: string | null },
  body: In,
): Buffer[] {
  const writer = new Writer();
  writer.int32(0);
  writer.int16(api.key);
  writer.int16(header.version);
  writer.int32(header.correlationId);
  if (header.clientId === null) {
    writer.int16(-1);
  } else {
    const length = Buffer.byteLength(header.clientId);
    writer.int16(length);
    writer.utf8(header.clientId, length);
  }
  if (header.version >= api.flexibleFrom) writer.uvarint(0);
  api.request.encode(writer, header.version, body);
  return sealed(writer);
}

/** A whole response frame. */
export function responseFrame<In>(
  api: { key: number; flexibleFrom: number; response: { encode(w: Writer, v: number, value: In): void } },
  header: { readonly version: number; readonly correlationId: number },
  body: In,
): Buffer[] {
  const writer = new Writer();
  writer.int32(0);
  writer.int32(header.correlationId);
  if (header.version >= api.flexibleFrom && api.key !== API_VERSIONS_KEY) writer.uvarint(0);
  api.response.encode(writer, header.version, body);
  return sealed(writer);
}

/** Decodes a response frame (without its length) that answers a request of `version`. */
export function readResponse<Out>(
  api: { key: number; flexibleFrom: number; response: { decode(r: Reader, v: number): Out } },
  version: number,
  frame: Buffer,
): { correlationId: number; body: Out } {
  const reader = new Reader(frame);
  const correlationId = reader.int32();
  if (version >= api.flexibleFrom && api.key !== API_VERSIONS_KEY) reader.skipTags();
  return { correlationId, body: api.response.decode(reader, version) };
}

function sealed(writer: Writer): Buffer[] {
  const length = writer.size - 4;
  const chunks = writer.finish();
  chunks[0]!.writeInt32BE(length, 0);
  return chunks;
}

/** A sender that dribbles single bytes must not cost an object a byte: so many small chunks become one. */
const SMALL_CHUNK_BYTES = 1024;
const SMALL_CHUNKS_MAX = 256;

/**
 * Cuts a byte stream into frames. A length outside the bounds is refused as soon as its four bytes are there;
 * memory grows only with the bytes received. A frame that came in one chunk is a view of it, else a copy.
 */
export class FrameAssembler {
  /** Both may change between frames. */
  bytesMin: number;
  bytesMax: number;
  private chunks: Buffer[] = [];
  private buffered = 0;
  private small = 0;

  constructor(bounds: { readonly bytesMin: number; readonly bytesMax: number }) {
    this.bytesMin = bounds.bytesMin;
    this.bytesMax = bounds.bytesMax;
  }

  /** Bytes held that make no whole frame yet. */
  get bufferedBytes(): number {
    return this.buffered;
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.chunks.push(chunk);
    this.buffered += chunk.length;
    if (chunk.length >= SMALL_CHUNK_BYTES) {
      this.small = 0;
      return;
    }
    this.small += 1;
    if (this.small < SMALL_CHUNKS_MAX) return;
    this.chunks.push(Buffer.concat(this.chunks.splice(-this.small)));
    this.small = 0;
  }

  /**
   * The next frame without its length, or undefined until more bytes come.
   * @throws WireError when the length is out of bounds
   */
  next(): Buffer | undefined {
    if (this.buffered < 4) return undefined;
    const length = this.peekLength();
    if (length < this.bytesMin || length > this.bytesMax) {
      throw new WireError(
        `cannot read a frame: got a length of ${length}, want ${this.bytesMin} to ${this.bytesMax}`,
      );
    }
    if (this.buffered < 4 + length) return undefined;
    if (this.chunks.length > 1) this.chunks = this.gathered(4 + length);
    this.small = 0;
    const first = this.chunks[0]!;
    this.buffered -= 4 + length;
    if (first.length === 4 + length) this.chunks.shift();
    else this.chunks[0] = first.subarray(4 + length);
    return first.subarray(4, 4 + length);
  }

  private peekLength(): number {
    const first = this.chunks[0]!;
    if (first.length >= 4) return first.readInt32BE(0);
    this.chunks = this.gathered(4);
    this.small = 0;
    return this.chunks[0]!.readInt32BE(0);
  }

  /** The chunks with the first `length` bytes in one piece. */
  private gathered(length: number): Buffer[] {
    if (this.chunks[0]!.length >= length) return this.chunks;
    let size = 0;
    let count = 0;
    while (size < length) size += this.chunks[count++]!.length;
    const rest = this.chunks.slice(count);
    const last = this.chunks[count - 1]!;
    const over = size - length;
    const head = this.chunks.slice(0, count - 1);
    head.push(over === 0 ? last : last.subarray(0, last.length - over));
    return [Buffer.concat(head, length), ...(over === 0 ? [] : [last.subarray(last.length - over)]), ...rest];
  }
}
