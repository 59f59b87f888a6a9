/** The access rules, durable, and found by resource. */
import { z } from 'zod';

import type { Files } from '../host/files.ts';
import { type Document, openDocument } from '../state/document.ts';
import { type Acl, type AclFilter, keyOf, matches, PATTERN, WILDCARD } from './acl.ts';

const aclSchema = z.strictObject({
  resourceType: z.int(),
  resourceName: z.string(),
  patternType: z.int(),
  principal: z.string(),
  host: z.string(),
  operation: z.int(),
  permissionType: z.int(),
});
const schema = z.strictObject({ version: z.literal(1), acls: z.array(aclSchema) });
type Stored = z.infer<typeof schema>;

/** The file is written as a whole at every change, and DescribeAcls answers all of it. */
const ACLS_MAX = 20_000;

/** Rules for one type of resource. */
interface OfType {
  readonly literal: Map<string, Acl[]>;
  readonly prefixed: Map<string, Acl[]>;
  /** Lengths that prefixes have: a name is looked up at each of them. */
  readonly lengths: number[];
}

export class TooManyAcls extends Error {
  override readonly name = 'TooManyAcls';
}

export class Acls {
  private readonly document: Document<Stored>;
  private byType = new Map<number, OfType>();

  constructor(document: Document<Stored>) {
    this.document = document;
    this.index();
  }

  get all(): readonly Acl[] {
    return this.document.value.acls;
  }

  /** Rules whose pattern a resource of this name matches. */
  *of(resourceType: number, name: string): Iterable<Acl> {
    const found = this.byType.get(resourceType);
    if (!found) return;
    yield* found.literal.get(name) ?? [];
    if (name !== WILDCARD) yield* found.literal.get(WILDCARD) ?? [];
    for (const length of found.lengths) {
      if (length <= name.length) yield* found.prefixed.get(name.slice(0, length)) ?? [];
    }
  }

  ofType(resourceType: number): Acl[] {
    return this.all.filter((acl) => acl.resourceType === resourceType);
  }

  /** Resolves when they are durable. @throws TooManyAcls */
  async create(acls: readonly Acl[]): Promise<void> {
    await this.document.update((now) => {
      const known = new Set(now.acls.map(keyOf));
      const fresh = [...new Map(acls.map((acl) => [keyOf(acl), acl]))]
        .filter(([key]) => !known.has(key))
        .map(([, acl]) => acl);
      if (fresh.length === 0) return now;
      if (now.acls.length + fresh.length > ACLS_MAX) {
        throw new TooManyAcls(`cannot keep ${now.acls.length + fresh.length} access rules, want ${ACLS_MAX}`);
      }
      return { ...now, acls: [...now.acls, ...fresh] };
    });
    this.index();
  }

  /** What each filter found; resolves when they are gone for good. A rule that two filters find is told to both. */
  async delete(filters: readonly AclFilter[]): Promise<Acl[][]> {
    let found: Acl[][] = [];
    await this.document.update((now) => {
      found = filters.map((filter) => now.acls.filter((acl) => matches(filter, acl)));
      const gone = new Set(found.flat());
      return gone.size === 0 ? now : { ...now, acls: now.acls.filter((acl) => !gone.has(acl)) };
    });
    this.index();
    return found;
  }

  private index(): void {
    const byType = new Map<number, OfType>();
    for (const acl of this.all) {
      const ofType: OfType = byType.get(acl.resourceType) ?? {
        literal: new Map(),
        prefixed: new Map(),
        lengths: [],
      };
      byType.set(acl.resourceType, ofType);
      const isPrefixed = acl.patternType === PATTERN.prefixed;
      const byName = isPrefixed ? ofType.prefixed : ofType.literal;
      const ofName = byName.get(acl.resourceName);
      if (ofName) ofName.push(acl);
      else byName.set(acl.resourceName, [acl]);
      const { length } = acl.resourceName;
      if (isPrefixed && !ofType.lengths.includes(length)) ofType.lengths.push(length);
    }
    this.byType = byType;
  }
}

/** @throws Error when what was stored is damaged: rules are not guessed */
export async function openAcls(files: Files, path: string): Promise<Acls> {
  return new Acls(await openDocument(files, path, { schema, empty: { version: 1, acls: [] } }));
}
