/** Stream sockets as the broker needs them: bytes in, bytes out, back-pressure, nothing else. */
export interface Net {
  /**
   * Rejects with the system's error (EADDRINUSE, EACCES, …), or with what is wrong with the key and certificates.
   * Port 0 takes a free one.
   */
  listen(address: Address, onSocket: (socket: Socket) => void, tls?: TlsListen): Promise<Listener>;
  /** Resolves when bytes can be sent: with `tls`, when the server has proved who it is. */
  connect(address: Address, timeoutMs: number, tls?: TlsConnect): Promise<Socket>;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Key and certificates as PEM. */
export interface TlsMaterial {
  readonly key: Buffer;
  readonly cert: Buffer;
  /** Signers of client certificates; default: those that the system trusts. */
  readonly ca?: Buffer | undefined;
}

/** TLS 1.2 or later; sockets are handed over when their handshake is done. */
export interface TlsListen {
  readonly material: TlsMaterial;
  /** `requested`: a client may come without a certificate, but not with one that is not signed by `ca`. */
  readonly clientAuth: 'none' | 'requested' | 'required';
  /** Told of connections that ended before they could be handed over. */
  readonly onRefused: (remote: Address, reason: string) => void;
}

/** How a client comes in over TLS; certificates and key as PEM. */
export interface TlsConnect {
  /** Signers of the server's certificate; default: those that the system trusts. */
  readonly ca?: Buffer | undefined;
  /** The client's own, both or none. */
  readonly cert?: Buffer | undefined;
  readonly key?: Buffer | undefined;
  /** The name that the server's certificate has to bear; default: the address's host. */
  readonly serverName?: string | undefined;
  /** Whether the server's certificate has to hold. */
  readonly rejectUnauthorized: boolean;
}

export interface Listener {
  /** As bound: the real port where 0 was asked for. */
  readonly address: Address;
  /** For handshakes from now on; a TLS listener only. @throws Error when they are no pair */
  renew(material: TlsMaterial): void;
  /** Stops accepting; open sockets stay. */
  close(): Promise<void>;
}

export interface Socket {
  readonly remote: Address;
  readonly local: Address;
  /** Distinguished name in the client's verified certificate, as RFC 2253 writes it; undefined without one. */
  readonly subject: string | undefined;
  /** Sets who is told; call once, in the turn in which the socket was handed over. */
  start(events: SocketEvents): void;
  /**
   * Queues the chunks as one write; false when the socket's buffer is above its mark: wait for `drain`. They may not
   * change before `done` is called, which is when the system has taken them, or never will.
   */
  write(chunks: readonly Uint8Array[], done?: () => void): boolean;
  pause(): void;
  resume(): void;
  /** Sends what is queued, then closes. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
}

export interface SocketEvents {
  /** The chunk's bytes are written over when the call has returned. */
  data(chunk: Buffer): void;
  drain(): void;
  /** Once, whatever the reason; `error` when there was one. */
  close(error?: Error): void;
}
