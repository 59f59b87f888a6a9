import { Cursor } from './cursor.ts';
import type { Resource, Scope } from './model.ts';
import { internedText, newAttributes, readKeyValue } from './values.ts';

/**
 * The three signals share their envelope:
 *
 *     Request { repeated Resource* = 1 }
 *       Resource* { Resource resource = 1; repeated Scope* = 2; string schema_url = 3 }
 *         Scope* { InstrumentationScope scope = 1; repeated <record> = 2; string schema_url = 3 }
 *
 * Fields come in any order on the wire, so resource and scope are read before the first record is.
 */
const FIRST = (1 << 3) | 2;
const SECOND = (2 << 3) | 2;
const THIRD = (3 << 3) | 2;

/** Calls `record` for every record in the order of the wire, the cursor standing at the record's length. */
export function readEnvelope(
  value: Buffer,
  record: (cursor: Cursor, resource: Resource, scope: Scope) => void,
): void {
  const cursor = new Cursor(value);
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    if (tag === FIRST) readResourceRecords(cursor, record);
    else cursor.skip(tag);
  }
}

function readResourceRecords(
  cursor: Cursor,
  record: (cursor: Cursor, resource: Resource, scope: Scope) => void,
): void {
  const outer = cursor.enter();
  const start = cursor.at;
  const resource = { attributes: newAttributes(), schemaUrl: '' };
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    if (tag === FIRST) readResource(cursor, resource);
    else if (tag === THIRD) resource.schemaUrl = internedText(cursor);
    else cursor.skip(tag);
  }
  cursor.at = start;
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    if (tag === SECOND) readScopeRecords(cursor, resource, record);
    else cursor.skip(tag);
  }
  cursor.leave(outer);
}

function readScopeRecords(
  cursor: Cursor,
  resource: Resource,
  record: (cursor: Cursor, resource: Resource, scope: Scope) => void,
): void {
  const outer = cursor.enter();
  const start = cursor.at;
  const scope = {
    name: '',
    version: '',
    attributes: newAttributes(),
    droppedAttributesCount: 0,
    schemaUrl: '',
  };
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    if (tag === FIRST) readScope(cursor, scope);
    else if (tag === THIRD) scope.schemaUrl = internedText(cursor);
    else cursor.skip(tag);
  }
  cursor.at = start;
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    if (tag === SECOND) record(cursor, resource, scope);
    else cursor.skip(tag);
  }
  cursor.leave(outer);
}

function readResource(cursor: Cursor, resource: Resource): void {
  const outer = cursor.enter();
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    if (tag === FIRST) readKeyValue(cursor, resource.attributes);
    else cursor.skip(tag);
  }
  cursor.leave(outer);
}

function readScope(
  cursor: Cursor,
  scope: { name: string; version: string; droppedAttributesCount: number } & Pick<Scope, 'attributes'>,
): void {
  const outer = cursor.enter();
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    if (tag === FIRST) scope.name = internedText(cursor);
    else if (tag === SECOND) scope.version = internedText(cursor);
    else if (tag === THIRD) readKeyValue(cursor, scope.attributes);
    else if (tag === 4 << 3) scope.droppedAttributesCount = cursor.uint32();
    else cursor.skip(tag);
  }
  cursor.leave(outer);
}
