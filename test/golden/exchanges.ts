import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Api } from '../../broker/wire/codec.ts';
import {
  readRequestHeader,
  type RequestHeader,
  requestFrame,
  responseFrame,
  skipRequestTags,
} from '../../broker/wire/frame.ts';
import { Reader } from '../../broker/wire/reader.ts';
import * as schemas from '../../broker/wire/schemas/index.ts';
import { revived } from './golden.ts';

/** One request of a real client, and what Apache Kafka answered. */
export interface Exchange {
  readonly client: string;
  readonly api: string;
  readonly version: number;
  /** The frame without its length, base64. */
  readonly request: string;
  /** Its body as `plain` of golden.ts. */
  readonly asks: unknown;
  readonly response: string;
  readonly answers: unknown;
}

export const EXCHANGES_PATH = join(import.meta.dirname, 'exchanges.json');

const API_VERSIONS_KEY = 18;
const APIS = new Map((Object.values(schemas) as unknown as Api[]).map((api) => [api.key, api]));

export function readExchanges(): Exchange[] {
  return JSON.parse(readFileSync(EXCHANGES_PATH, 'utf8')) as Exchange[];
}

export interface DecodedRequest {
  readonly api: Api;
  readonly header: RequestHeader;
  readonly body: unknown;
  readonly remaining: number;
}

export function decodeRequest(frame: Buffer): DecodedRequest {
  const reader = new Reader(frame);
  const header = readRequestHeader(reader);
  const api = APIS.get(header.apiKey);
  if (!api)
    throw new Error(`cannot read a request: got API key ${header.apiKey}, of which there is no schema`);
  skipRequestTags(reader, api, header.apiVersion);
  const body = api.request.decode(reader, header.apiVersion);
  return { api, header, body, remaining: reader.remaining };
}

/** Of the same exchange; a broker that does not know the version of ApiVersions answers in version 0. */
export function decodeResponse(
  { api, header }: DecodedRequest,
  frame: Buffer,
): { version: number; correlationId: number; body: unknown; remaining: number } {
  const version = responseVersion(api, header.apiVersion, frame);
  const reader = new Reader(frame);
  const correlationId = reader.int32();
  if (version >= api.flexibleFrom && api.key !== API_VERSIONS_KEY) reader.skipTags();
  const body = api.response.decode(reader, version);
  return { version, correlationId, body, remaining: reader.remaining };
}

/** The frame that says this, without its length. */
export function encodeRequest({ api, header }: DecodedRequest, asks: unknown): Buffer {
  const { apiVersion: version, correlationId, clientId } = header;
  return unframed(requestFrame(api, { version, correlationId, clientId }, revived(asks) as never));
}

export function encodeResponse({ api, header }: DecodedRequest, version: number, answers: unknown): Buffer {
  const { correlationId } = header;
  return unframed(responseFrame(api, { version, correlationId }, revived(answers) as never));
}

function responseVersion(api: Api, version: number, frame: Buffer): number {
  const UNSUPPORTED_VERSION = 35;
  return api.key === API_VERSIONS_KEY && frame.readInt16BE(4) === UNSUPPORTED_VERSION ? 0 : version;
}

function unframed(chunks: readonly Buffer[]): Buffer {
  return Buffer.concat(chunks).subarray(4);
}
