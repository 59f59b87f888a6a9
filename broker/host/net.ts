/** Stream sockets as the broker needs them: bytes in, bytes out, back-pressure, nothing else. */
export interface Net {
  /** Rejects with the system's error (EADDRINUSE, EACCES, …). Port 0 takes a free one. */
  listen(address: Address, onSocket: (socket: Socket) => void): Promise<Listener>;
  connect(address: Address, timeoutMs: number): Promise<Socket>;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface Listener {
  /** As bound: the real port where 0 was asked for. */
  readonly address: Address;
  /** Stops accepting; open sockets stay. */
  close(): Promise<void>;
}

export interface Socket {
  readonly remote: Address;
  readonly local: Address;
  /** Sets who is told; call once, in the turn in which the socket was handed over. */
  start(events: SocketEvents): void;
  /** Queues the chunks as one write; false when the socket's buffer is above its mark: wait for `drain`. */
  write(chunks: readonly Uint8Array[]): boolean;
  pause(): void;
  resume(): void;
  /** Sends what is queued, then closes. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
}

export interface SocketEvents {
  data(chunk: Buffer): void;
  drain(): void;
  /** Once, whatever the reason; `error` when there was one. */
  close(error?: Error): void;
}
