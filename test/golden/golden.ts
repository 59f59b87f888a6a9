import { join } from 'node:path';

import type { Api } from '../../broker/wire/codec.ts';
import { readRequestHeader, type RequestHeader, skipRequestTags } from '../../broker/wire/frame.ts';
import { Reader } from '../../broker/wire/reader.ts';
import * as schemas from '../../broker/wire/schemas/index.ts';

/** One request that a real client sent. */
export interface GoldenRequest {
  readonly client: string;
  readonly key: number;
  readonly version: number;
  /** The frame without its length, base64. */
  readonly bytes: string;
  /** The body as decoded; byte fields are base64 under `$bytes`. */
  readonly says: unknown;
}

export const GOLDEN_PATH = join(import.meta.dirname, 'requests.json');

const APIS = new Map((Object.values(schemas) as unknown as Api[]).map((api) => [api.key, api]));

export function decodeRequest(frame: Buffer): {
  api: Api;
  header: RequestHeader;
  body: unknown;
  remaining: number;
} {
  const reader = new Reader(frame);
  const header = readRequestHeader(reader);
  const api = APIS.get(header.apiKey);
  if (!api) throw new Error(`got API key ${header.apiKey}, of which there is no schema`);
  skipRequestTags(reader, api, header.apiVersion);
  const body = api.request.decode(reader, header.apiVersion);
  return { api, header, body, remaining: reader.remaining };
}

/** As JSON can hold it. */
export function plain(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return { $bytes: value.toString('base64') };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]));
}

/** The way back from `plain`. */
export function revived(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revived);
  if (typeof value !== 'object' || value === null) return value;
  if ('$bytes' in value) return Buffer.from(value.$bytes as string, 'base64');
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, revived(one)]));
}
