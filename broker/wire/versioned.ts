/**
 * Messages outside of request and response: an int16 for the version, then the fields. So are the keys and values of the
 * coordinators' records, where the version of a key also says of what kind the record is.
 */
import type { Message } from './codec.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

export function encodeVersioned<In>(version: number, message: Message<unknown, In>, value: In): Buffer {
  const writer = new Writer();
  writer.int16(version);
  message.encode(writer, version, value);
  return writer.toBuffer();
}

/** @throws WireError */
export function decodeVersioned<Out>(bytes: Buffer, message: Message<Out, never>): Out {
  const reader = new Reader(bytes);
  return message.decode(reader, reader.int16());
}
