import type { Socket } from '../host/net.ts';
import { FrameAssembler } from '../wire/frame.ts';
import { produce } from '../wire/schemas/index.ts';
import type { ConnectionOwner } from './connection-owner.ts';

/** Header of the smallest request: key, version, correlation id, client id. */
const FRAME_BYTES_MIN = 10;
/** What a client may send ahead of the request that is worked on; then its socket is paused. */
const AHEAD_BYTES_MAX = 256 * 1024;

/** How far a client has come with saying who it is. */
interface Authentication {
  /** It sends bytes of its own instead of requests. */
  readonly isRaw: boolean;
  readonly isSettled: boolean;
}

/** Received bytes of one connection until they are requests: cut into frames, counted, bounded. */
export class Incoming {
  private readonly socket: Socket;
  private readonly owner: ConnectionOwner;
  private readonly assembler: FrameAssembler;
  /** What the owner was told is buffered here. */
  private accounted = 0;
  private isPaused = false;

  constructor(socket: Socket, owner: ConnectionOwner) {
    this.socket = socket;
    this.owner = owner;
    const bounds = { bytesMin: FRAME_BYTES_MIN, bytesMax: owner.requestBytesMax };
    this.assembler = new FrameAssembler(bounds, owner.frameMemory);
  }

  get bufferedBytes(): number {
    return this.assembler.bufferedBytes;
  }

  /** False when half-received requests of all connections are too many with this. */
  push(chunk: Buffer): boolean {
    this.assembler.push(chunk);
    return this.account();
  }

  /** The next request, undefined until it is whole. @throws WireError when its length is out of bounds */
  next({ isRaw, isSettled }: Authentication): Buffer | undefined {
    const { requestBytesMax, unauthenticatedRequestBytesMax } = this.owner;
    this.assembler.bytesMin = isRaw ? 0 : FRAME_BYTES_MIN;
    this.assembler.bytesMax = isSettled
      ? requestBytesMax
      : Math.min(requestBytesMax, unauthenticatedRequestBytesMax);
    const frame = this.assembler.next();
    if (!frame) return undefined;
    this.account();
    if (isProduce(frame)) return frame;
    // What is decoded of it may be kept for as long as a member is in its group.
    const own = Buffer.allocUnsafeSlow(frame.length);
    frame.copy(own);
    this.assembler.giveBack(frame);
    return own;
  }

  /** Nothing looks at this Produce any more. */
  giveBack(frame: Buffer): void {
    this.assembler.giveBack(frame);
  }

  /** A request is worked on: not much more is taken meanwhile. */
  holdBack(): void {
    if (this.isPaused || this.assembler.bufferedBytes < AHEAD_BYTES_MAX) return;
    this.isPaused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.socket.resume();
  }

  /** The connection is gone. */
  forget(): void {
    this.owner.buffer(-this.accounted);
    this.accounted = 0;
  }

  private account(): boolean {
    const bytes = this.assembler.bufferedBytes - this.accounted;
    this.accounted += bytes;
    return this.owner.buffer(bytes);
  }
}

export function isProduce(frame: Buffer): boolean {
  return frame.length >= FRAME_BYTES_MIN && frame.readInt16BE(0) === produce.key;
}
