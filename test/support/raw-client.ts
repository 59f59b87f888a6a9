import { connect, type Socket } from 'node:net';

import type { Api } from '../../broker/wire/codec.ts';
import { FrameAssembler, readResponse, requestFrame } from '../../broker/wire/frame.ts';
import type { Decoded, Encodable, Fields } from '../../broker/wire/schema.ts';

/** A connection that sends what it is told: any version of any API, or bytes that are no request at all. */
export class RawClient {
  readonly socket: Socket;
  /** Resolves when the other side has closed. */
  readonly closed: Promise<void>;
  private readonly assembler = new FrameAssembler({ bytesMin: 0, bytesMax: 2 ** 31 - 1 });
  private readonly frames: Buffer[] = [];
  private readonly waiting: Array<{ resolve(frame: Buffer): void; reject(error: Error): void }> = [];
  private correlationId = 0;

  private constructor(socket: Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        for (const waiter of this.waiting.splice(0)) waiter.reject(new Error('connection closed'));
        resolve();
      });
    });
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      this.assembler.push(chunk);
      for (let frame = this.assembler.next(); frame; frame = this.assembler.next()) {
        const waiter = this.waiting.shift();
        if (waiter) waiter.resolve(frame);
        else this.frames.push(frame);
      }
    });
  }

  /** Over a connected socket, of whatever kind. */
  static over(socket: Socket): RawClient {
    return new RawClient(socket);
  }

  static connect(port: number, host = '127.0.0.1'): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new RawClient(socket));
      });
    });
  }

  /** Sends a request and waits for its answer; rejects when the connection closes instead. */
  async call<S extends Fields, T extends Fields>(
    api: Api<S, T>,
    version: number,
    body: Encodable<S>,
    clientId = 'raw',
  ): Promise<Decoded<T>> {
    const correlationId = this.send(api, version, body, clientId);
    const { correlationId: got, body: answer } = readResponse(api, version, await this.frame());
    if (got !== correlationId) throw new Error(`got an answer to ${got}, want ${correlationId}`);
    return answer;
  }

  /** Sends a request, returns its correlation id. */
  send<S extends Fields, T extends Fields>(
    api: Api<S, T>,
    version: number,
    body: Encodable<S>,
    clientId = 'raw',
  ): number {
    this.correlationId += 1;
    const header = { version, correlationId: this.correlationId, clientId };
    this.write(Buffer.concat(requestFrame(api, header, body)));
    return this.correlationId;
  }

  write(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  /** The next frame from the broker, without its length. */
  frame(): Promise<Buffer> {
    const ready = this.frames.shift();
    if (ready) return Promise.resolve(ready);
    if (this.socket.destroyed) return Promise.reject(new Error('connection closed'));
    return new Promise((resolve, reject) => void this.waiting.push({ resolve, reject }));
  }

  close(): void {
    this.socket.destroy();
  }
}
