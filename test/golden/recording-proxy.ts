import { connect, createServer, type Server, type Socket } from 'node:net';

import { FrameAssembler, readRequestHeader } from '../../broker/wire/frame.ts';
import { Reader } from '../../broker/wire/reader.ts';

/** A request and the broker's answer to it, both without their lengths. */
export interface SeenExchange {
  /** Who was being recorded when the connection came. */
  readonly client: string;
  readonly request: Buffer;
  readonly response: Buffer;
}

const FRAMES = { bytesMin: 0, bytesMax: 2 ** 31 - 1 };
/** Requests of one connection without an answer, as of a producer that wants none. */
const UNANSWERED_MAX = 1_000;

/**
 * Stands between clients and a broker that advertises the proxy's port, changes nothing, and tells of every request
 * with its answer. Frames that are none, as the tokens of an old SASL handshake, pass unrecorded.
 */
export class RecordingProxy {
  readonly port: number;
  /** Whose connections come from now on. */
  client = '';
  private upstreamPort = 0;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private readonly onExchange: (exchange: SeenExchange) => void;

  private constructor(server: Server, onExchange: (exchange: SeenExchange) => void) {
    this.server = server;
    this.onExchange = onExchange;
    this.port = (server.address() as { port: number }).port;
    server.on('connection', (socket) => this.relay(socket));
  }

  static listen(onExchange: (exchange: SeenExchange) => void): Promise<RecordingProxy> {
    const server = createServer();
    return new Promise((resolve) => {
      server.listen(0, 'localhost', () => resolve(new RecordingProxy(server, onExchange)));
    });
  }

  /** Must be called before the first client comes. */
  forwardTo(port: number): void {
    this.upstreamPort = port;
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private relay(downstream: Socket): void {
    const { client } = this;
    const upstream = connect(this.upstreamPort, 'localhost');
    const waiting = new Map<number, Buffer>();
    const requests = new FrameAssembler(FRAMES);
    const responses = new FrameAssembler(FRAMES);
    downstream.on('data', (chunk) => {
      for (const frame of framesOf(requests, chunk)) {
        const correlationId = correlationIdOf(frame);
        if (correlationId === undefined) continue;
        waiting.set(correlationId, frame);
        if (waiting.size > UNANSWERED_MAX) waiting.delete(waiting.keys().next().value!);
      }
    });
    upstream.on('data', (chunk) => {
      for (const frame of framesOf(responses, chunk)) {
        if (frame.length < 4) continue;
        const correlationId = frame.readInt32BE(0);
        const request = waiting.get(correlationId);
        if (!request) continue;
        waiting.delete(correlationId);
        this.onExchange({ client, request, response: frame });
      }
    });
    downstream.pipe(upstream).pipe(downstream);
    for (const socket of [downstream, upstream]) {
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.sockets.delete(socket);
        downstream.destroy();
        upstream.destroy();
      });
    }
  }
}

/** Copies: what passes by is kept longer than the socket's buffers. */
function framesOf(assembler: FrameAssembler, chunk: Buffer): Buffer[] {
  assembler.push(chunk);
  const frames: Buffer[] = [];
  for (let frame = assembler.next(); frame; frame = assembler.next()) frames.push(Buffer.from(frame));
  return frames;
}

function correlationIdOf(frame: Buffer): number | undefined {
  try {
    return readRequestHeader(new Reader(frame)).correlationId;
  } catch {
    return undefined;
  }
}
