/** The quotas that administrators have set, and which of them holds for a client. Durable, one document. */
import { z } from 'zod';

import type { Files } from '../host/files.ts';
import { type Document, openDocument } from '../state/document.ts';
import {
  type Entity,
  type EntityFilter,
  entityKey,
  matchesEntity,
  type QuotaChange,
  type QuotaKey,
} from './quota-entity.ts';

const FILE = 'client-quotas.json';
/** All are looked through by DescribeClientQuotas and rewritten by a change; administrators set dozens. */
const ENTITIES_MAX = 10_000;

const entries = z.array(
  z.object({
    entity: z.partialRecord(z.enum(['user', 'client-id', 'ip']), z.string().nullable()),
    values: z.record(z.string(), z.number()),
  }),
);
type Entries = z.infer<typeof entries>;

/** A quota and whom it counts together: all clients with this key. */
export interface FoundQuota {
  readonly value: number;
  readonly sharedBy: string;
}

export class ClientQuotas {
  private readonly document: Document<Entries>;
  private byEntity = new Map<string, Readonly<Record<string, number>>>();

  private constructor(document: Document<Entries>) {
    this.document = document;
    this.index();
  }

  static async open(files: Files, dataDir: string): Promise<ClientQuotas> {
    return new ClientQuotas(await openDocument(files, `${dataDir}/${FILE}`, { schema: entries, empty: [] }));
  }

  /** False while nobody has set any, which costs a request nothing. */
  get any(): boolean {
    return this.byEntity.size > 0;
  }

  describe(filters: readonly EntityFilter[], strict: boolean): Entries {
    return this.document.value.filter(({ entity }) => matchesEntity(entity, filters, strict));
  }

  /** Durable when it resolves. False when there would be too many. */
  async alter(changes: ReadonlyArray<{ entity: Entity; ops: readonly QuotaChange[] }>): Promise<boolean> {
    let fits = true;
    await this.document.update((now) => {
      const next = new Map(now.map((one) => [entityKey(one.entity), one]));
      for (const { entity, ops } of changes) {
        const key = entityKey(entity);
        const values = { ...next.get(key)?.values };
        for (const { key: name, value } of ops) {
          if (value === undefined) delete values[name];
          else values[name] = value;
        }
        if (Object.keys(values).length === 0) next.delete(key);
        else next.set(key, { entity, values });
      }
      fits = next.size <= ENTITIES_MAX;
      return fits ? [...next.values()] : now;
    });
    this.index();
    return fits;
  }

  /** Kafka's order: the pair before the user before the client, each by name before by default. */
  find(key: QuotaKey, user: string, clientId: string): FoundQuota | undefined {
    const levels: ReadonlyArray<readonly [Entity, sharedBy: string]> = [
      [{ user, 'client-id': clientId }, 'both'],
      [{ user, 'client-id': null }, 'both'],
      [{ user }, 'user'],
      [{ user: null, 'client-id': clientId }, 'both'],
      [{ user: null, 'client-id': null }, 'both'],
      [{ user: null }, 'user'],
      [{ 'client-id': clientId }, 'client'],
      [{ 'client-id': null }, 'client'],
    ];
    for (const [entity, sharedBy] of levels) {
      const value = this.byEntity.get(entityKey(entity))?.[key];
      if (value === undefined) continue;
      const names = [sharedBy === 'client' ? '' : user, sharedBy === 'user' ? '' : clientId];
      return { value, sharedBy: `${key} ${JSON.stringify(names)}` };
    }
    return undefined;
  }

  connectionRate(ip: string): number | undefined {
    return (this.byEntity.get(entityKey({ ip })) ?? this.byEntity.get(entityKey({ ip: null })))?.[
      'connection_creation_rate'
    ];
  }

  private index(): void {
    this.byEntity = new Map(this.document.value.map(({ entity, values }) => [entityKey(entity), values]));
  }
}
