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
import type { FrameMemory } from './frame-memory.ts';
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

/** Bytes of memory for each byte received: a large frame is moved a few times while it grows, never allocated ahead. */
const GROWTH = 4;

/** Memory with received bytes: frames that were handed out, then what makes no whole frame yet. */
interface Block {
  readonly memory: Buffer;
  filled: number;
  parsed: number;
  /** Frames that are not given back. */
  out: number;
}

/**
 * Cuts a byte stream into frames. A length outside the bounds is refused as soon as its four bytes are there;
 * memory grows only with the bytes received. Bytes are copied in, so that the socket's buffer is free again.
 */
export class FrameAssembler {
  /** Both may change between frames. */
  bytesMin: number;
  bytesMax: number;
  readonly #memory: FrameMemory | undefined;
  #block: Block | undefined;
  /** Earlier ones of which frames are out. */
  #left: Block[] = [];

  /** With `memory`, frames may be given back, and then are written over. */
  constructor(bounds: { readonly bytesMin: number; readonly bytesMax: number }, memory?: FrameMemory) {
    this.bytesMin = bounds.bytesMin;
    this.bytesMax = bounds.bytesMax;
    this.#memory = memory;
  }

  /** Bytes held that make no whole frame yet. */
  get bufferedBytes(): number {
    return this.#block ? this.#block.filled - this.#block.parsed : 0;
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    const block = this.#roomFor(chunk.length);
    chunk.copy(block.memory, block.filled);
    block.filled += chunk.length;
  }

  /**
   * The next frame without its length, or undefined until more bytes come.
   * @throws WireError when the length is out of bounds
   */
  next(): Buffer | undefined {
    const block = this.#block;
    if (!block || block.filled - block.parsed < 4) return undefined;
    const length = block.memory.readInt32BE(block.parsed);
    if (length < this.bytesMin || length > this.bytesMax) {
      throw new WireError(
        `cannot read a frame: got a length of ${length}, want ${this.bytesMin} to ${this.bytesMax}`,
      );
    }
    const start = block.parsed + 4;
    if (start + length > block.filled) return undefined;
    block.parsed = start + length;
    block.out += 1;
    return block.memory.subarray(start, start + length);
  }

  /** Nothing looks at the frame any more. */
  giveBack(frame: Buffer): void {
    const { buffer } = frame;
    const isCurrent = this.#block?.memory.buffer === buffer;
    const block = isCurrent ? this.#block! : this.#left.find(({ memory }) => memory.buffer === buffer)!;
    block.out -= 1;
    if (block.out > 0 || (isCurrent && block.parsed < block.filled)) return;
    if (isCurrent) this.#block = undefined;
    else this.#left = this.#left.filter((one) => one !== block);
    this.#memory?.give(block.memory);
  }

  #roomFor(bytes: number): Block {
    const block = this.#block;
    if (block && block.memory.length - block.filled >= bytes) return block;
    const held = this.bufferedBytes;
    const wanted = held >= 4 ? 4 + block!.memory.readInt32BE(block!.parsed) : 0;
    // Of a length out of bounds nothing is believed.
    const isBelieved = wanted <= 4 + this.bytesMax;
    const ahead = isBelieved ? Math.min(wanted, GROWTH * (held + bytes)) : 0;
    const size = Math.max(held + bytes, ahead);
    const memory = this.#memory?.take(size) ?? Buffer.allocUnsafeSlow(size);
    if (block) {
      block.memory.copy(memory, 0, block.parsed, block.filled);
      // Without memory to give back to, frames keep theirs alive.
      if (block.out === 0) this.#memory?.give(block.memory);
      else if (this.#memory) this.#left.push(block);
    }
    this.#block = { memory, filled: held, parsed: 0, out: 0 };
    return this.#block;
  }
}
