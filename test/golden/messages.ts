import { join } from 'node:path';

import type { Api, Message } from '../../broker/wire/codec.ts';
import {
  readRequestHeader,
  readResponse,
  requestFrame,
  responseFrame,
  skipRequestTags,
} from '../../broker/wire/frame.ts';
import { Reader } from '../../broker/wire/reader.ts';
import * as apis from '../../broker/wire/schemas/index.ts';
import * as consumerGroup from '../../broker/wire/schemas/consumer-group-records.ts';
import * as group from '../../broker/wire/schemas/group-records.ts';
import * as shareGroup from '../../broker/wire/schemas/share-group-records.ts';
import * as shareState from '../../broker/wire/schemas/share-state-records.ts';
import * as transaction from '../../broker/wire/schemas/transaction-records.ts';
import type { Fields } from '../../broker/wire/schema.ts';
import { Writer } from '../../broker/wire/writer.ts';

/** One message as Apache Kafka's own classes wrote it. */
export interface GoldenMessage {
  readonly message: string;
  readonly version: number;
  /** The whole frame without its length, or the record's key or value without its version; base64. */
  readonly bytes: string;
  /** As `plain` of golden.ts. */
  readonly says: unknown;
}

/** A kind of message: how we write and read it, and Kafka's class for it. */
export interface MessageKind {
  readonly name: string;
  readonly kind: 'request' | 'response' | 'record';
  readonly key: number | undefined;
  readonly className: string;
  readonly versions: readonly [min: number, max: number];
  readonly fields: Fields;
  encode(version: number, value: unknown): Buffer;
  /** The value, and how many bytes it left. */
  decode(version: number, bytes: Buffer): { value: unknown; remaining: number };
}

export const MESSAGES_PATH = join(import.meta.dirname, 'messages.json');
export const CORRELATION_ID = 7;
export const CLIENT_ID = 'golden';

const COORDINATOR = 'org.apache.kafka.coordinator';

type AnyMessage = Message<unknown, unknown>;

const RECORDS: ReadonlyArray<readonly [javaPackage: string, records: Readonly<Record<string, unknown>>]> = [
  [`${COORDINATOR}.group.generated`, { ...group, consumerSubscription: undefined }],
  [`${COORDINATOR}.group.generated`, consumerGroup],
  [`${COORDINATOR}.group.generated`, shareGroup],
  [`${COORDINATOR}.share.generated`, shareState],
  [`${COORDINATOR}.transaction.generated`, { ...transaction, endTxnMarker: undefined }],
  ['org.apache.kafka.common.message', { endTxnMarker: transaction.endTxnMarker }],
];
/** Highest versions of records; the others have one. A key's version says what it is, its fields are the same. */
const RECORD_VERSION_MAX: Readonly<Record<string, number>> = {
  offsetCommitValue: 4,
  groupMetadataValue: 4,
  transactionLogValue: 1,
};

/** Every message that is served or stored. */
export const KINDS: readonly MessageKind[] = [
  ...(Object.values(apis) as unknown as Api[]).flatMap((api) => [requestKind(api), responseKind(api)]),
  ...RECORDS.flatMap(([javaPackage, records]) =>
    Object.entries(records).flatMap(([name, message]) =>
      message === undefined ? [] : [recordKind(javaPackage, name, message as AnyMessage)],
    ),
  ),
];

function requestKind(api: Api): MessageKind {
  return {
    name: `${api.name} request`,
    kind: 'request',
    key: api.key,
    className: `org.apache.kafka.common.message.${api.name}RequestData`,
    versions: api.versions,
    fields: api.fields.request,
    encode: (version, value) =>
      unframed(
        requestFrame(api, { version, correlationId: CORRELATION_ID, clientId: CLIENT_ID }, value as never),
      ),
    decode(version, bytes) {
      const reader = new Reader(bytes);
      readRequestHeader(reader);
      skipRequestTags(reader, api, version);
      return { value: api.request.decode(reader, version), remaining: reader.remaining };
    },
  };
}

function responseKind(api: Api): MessageKind {
  return {
    name: `${api.name} response`,
    kind: 'response',
    key: api.key,
    className: `org.apache.kafka.common.message.${api.name}ResponseData`,
    versions: api.versions,
    fields: api.fields.response,
    encode: (version, value) =>
      unframed(responseFrame(api, { version, correlationId: CORRELATION_ID }, value as never)),
    decode: (version, bytes) => ({ value: readResponse(api, version, bytes).body, remaining: 0 }),
  };
}

function recordKind(javaPackage: string, name: string, message: AnyMessage): MessageKind {
  return {
    name: `${name} record`,
    kind: 'record',
    key: undefined,
    className: `${javaPackage}.${name[0]!.toUpperCase()}${name.slice(1)}`,
    versions: [0, RECORD_VERSION_MAX[name] ?? 0],
    fields: message.fields,
    encode(version, value) {
      const writer = new Writer();
      message.encode(writer, version, value);
      return writer.toBuffer();
    },
    decode(version, bytes) {
      const reader = new Reader(bytes);
      return { value: message.decode(reader, version), remaining: reader.remaining };
    },
  };
}

function unframed(chunks: readonly Buffer[]): Buffer {
  return Buffer.concat(chunks).subarray(4);
}
