import type { Host } from '../host/host.ts';
import type { Socket } from '../host/net.ts';
import { FrameAssembler, readResponse, requestFrame } from '../wire/frame.ts';
import type { Reader } from '../wire/reader.ts';
import { apiVersions } from '../wire/schemas/index.ts';
import type { Writer } from '../wire/writer.ts';
import { readClientTls } from './client-tls.ts';
import { KafkaError } from './error.ts';
import type { KafkaConfig, KafkaSasl } from './kafka-config.ts';
import { Session } from './session.ts';

/** An API as the connection needs it: what to write, what to read, which versions we know. */
export interface WireApi<In, Out> {
  readonly key: number;
  readonly name: string;
  readonly versions: readonly [min: number, max: number];
  readonly flexibleFrom: number;
  readonly request: { encode(writer: Writer, version: number, value: In): void };
  readonly response: { decode(reader: Reader, version: number): Out };
}

const CONNECT_TIMEOUT_MS = 5_000;
/** A broker may let those wait whom it refuses, so that guessing takes long. */
const LOGIN_TIMEOUT_MS = 10_000;
/** Largest response taken: far above what our fetches ask for, far below what would hurt. */
const RESPONSE_BYTES_MAX = 256 * 1024 * 1024;

interface Pending {
  readonly api: WireApi<never, unknown>;
  readonly version: number;
  readonly resolve: (body: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly cancelTimeout: () => void;
}

/** How connections are made secure; without either they are plain and nobody's. */
export type ClientSecurity = Pick<KafkaConfig, 'tls' | 'sasl'>;

/** One connection to a broker: requests of any API at the newest version that both ends know. */
export class Connection {
  private readonly host: Host;
  private readonly clientId: string;
  private readonly socket: Socket;
  private readonly pending = new Map<number, Pending>();
  private readonly assembler = new FrameAssembler({ bytesMin: 4, bytesMax: RESPONSE_BYTES_MAX });
  private versions = new Map<number, readonly [number, number]>();
  private correlationId = 0;
  private session: Session | undefined;
  private failure: KafkaError | undefined;

  private constructor(host: Host, clientId: string, socket: Socket) {
    this.host = host;
    this.clientId = clientId;
    this.socket = socket;
    socket.start({
      data: (chunk) => this.receive(chunk),
      drain: () => undefined,
      close: (error) => this.fail(error ?? new Error('the broker closed the connection')),
    });
  }

  /** Connects, learns the broker's versions and logs in. @throws KafkaError */
  static async open(
    host: Host,
    address: { host: string; port: number },
    clientId: string,
    { tls, sasl }: ClientSecurity = {},
  ): Promise<Connection> {
    const name = `${address.host}:${address.port}`;
    const material = tls && (await readClientTls(host, tls));
    const socket = await host.net.connect(address, CONNECT_TIMEOUT_MS, material).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      throw new KafkaError('CONNECTION', `cannot connect to ${name}: ${reason}`, true, error);
    });
    const connection = new Connection(host, clientId, socket);
    const request = { clientSoftwareName: 'millrace', clientSoftwareVersion: '1' };
    const { errorCode, apiKeys } = await connection.send(apiVersions, 3, request, CONNECT_TIMEOUT_MS);
    if (errorCode !== 0) {
      connection.close();
      throw new KafkaError('CLIENT', `cannot use ${name}: got error ${errorCode} for ApiVersions 3`, false);
    }
    connection.versions = new Map(
      apiKeys.map(({ apiKey, minVersion, maxVersion }) => [apiKey, [minVersion, maxVersion]]),
    );
    if (sasl) await connection.begin(sasl);
    return connection;
  }

  get closed(): boolean {
    return this.failure !== undefined;
  }

  /** `versionMax` caps the version where a newer one would change the meaning of the fields used. */
  request<In, Out>(
    api: WireApi<In, Out>,
    body: In,
    options: { timeoutMs?: number; versionMax?: number } = {},
  ): Promise<Out> {
    const renewal = this.session?.renewal();
    if (!renewal) return this.ask(api, body, options);
    return renewal.then(
      () => this.ask(api, body, options),
      (error: unknown) => {
        this.close();
        throw error;
      },
    );
  }

  close(): void {
    this.fail(new Error('the client closed it'));
    this.socket.destroy();
  }

  private async begin(sasl: KafkaSasl): Promise<void> {
    const session = new Session(this.host, sasl, (api, body) =>
      this.ask(api, body, { timeoutMs: LOGIN_TIMEOUT_MS }),
    );
    try {
      await session.begin();
      this.session = session;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  private ask<In, Out>(
    api: WireApi<In, Out>,
    body: In,
    options: { timeoutMs?: number; versionMax?: number },
  ): Promise<Out> {
    const [min, max] = this.versions.get(api.key) ?? [0, -1];
    const version = Math.min(max, api.versions[1], options.versionMax ?? Infinity);
    if (version < Math.max(min, api.versions[0])) {
      const got = max < 0 ? 'none' : `${min} to ${max}`;
      const message = `cannot call ${api.name}: got versions ${got} from the broker, want ${api.versions.join(' to ')}`;
      return Promise.reject(new KafkaError('UNSUPPORTED_VERSION', message, false));
    }
    return this.send(api, version, body, options.timeoutMs ?? 30_000);
  }

  private send<In, Out>(api: WireApi<In, Out>, version: number, body: In, timeoutMs: number): Promise<Out> {
    if (this.failure) return Promise.reject(this.failure);
    this.correlationId = (this.correlationId + 1) & 0x7fffffff;
    const correlationId = this.correlationId;
    const frame = requestFrame(api, { version, correlationId, clientId: this.clientId }, body);
    return new Promise((resolve, reject) => {
      const cancelTimeout = this.host.timers.after(timeoutMs, () => {
        this.fail(new Error(`no answer to ${api.name} in ${timeoutMs} ms`));
        this.socket.destroy();
      });
      this.pending.set(correlationId, {
        api,
        version,
        resolve: resolve as (body: unknown) => void,
        reject,
        cancelTimeout,
      });
      this.socket.write(frame);
    });
  }

  private receive(chunk: Buffer): void {
    try {
      this.assembler.push(chunk);
      for (let frame = this.assembler.next(); frame; frame = this.assembler.next()) {
        const pending = this.pending.get(frame.readInt32BE(0));
        if (!pending) throw new Error('an answer to nothing that was asked');
        this.pending.delete(frame.readInt32BE(0));
        pending.cancelTimeout();
        try {
          pending.resolve(readResponse(pending.api, pending.version, frame).body);
        } catch (error) {
          pending.reject(asError(error));
          throw error;
        }
      }
    } catch (error) {
      this.fail(asError(error));
      this.socket.destroy();
    }
  }

  private fail(error: Error): void {
    if (this.failure) return;
    this.failure = new KafkaError('CONNECTION', `connection lost: ${error.message}`, true, error);
    for (const { reject, cancelTimeout } of this.pending.values()) {
      cancelTimeout();
      reject(this.failure);
    }
    this.pending.clear();
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
