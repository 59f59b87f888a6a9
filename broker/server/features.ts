/**
 * The versions of whole behaviours, which clients read from ApiVersions and choose their protocol by. A level is
 * `finalized` when it holds; UpdateFeatures moves it within what is supported. Whoever makes a level work raises it
 * here; a feature whose `max` is 0 is not shown, so that no client switches it on.
 */
import type { Files } from '../host/files.ts';
import { type Document, openDocument } from '../state/document.ts';
import { z } from 'zod';

export interface Feature {
  readonly name: string;
  /** Supported levels; 0 is off. */
  readonly min: number;
  readonly max: number;
  /** The level that holds while nobody has said otherwise. */
  readonly initial: number;
  /** Lowest metadata.version that a level above 0 needs. */
  readonly needsMetadata?: number;
}

export const METADATA_VERSION = 'metadata.version';
export const ELIGIBLE_LEADER_REPLICAS = 'eligible.leader.replicas.version';

export const FEATURES: readonly Feature[] = [
  // Nothing depends on it here; from 3.3-IV3 to 4.4-IV2, so that tools that print it have something to print.
  { name: METADATA_VERSION, min: 7, max: 33, initial: 33 },
  // One node has no quorum to change: nothing depends on it either.
  { name: 'kraft.version', min: 0, max: 1, initial: 0 },
  // A single replica is always in sync, so no partition ever has any but in its leader.
  { name: ELIGIBLE_LEADER_REPLICAS, min: 0, max: 1, initial: 1, needsMetadata: 23 },
  { name: 'group.version', min: 0, max: 1, initial: 1, needsMetadata: 22 },
  { name: 'share.version', min: 0, max: 2, initial: 2, needsMetadata: 22 },
  { name: 'streams.version', min: 0, max: 0, initial: 0, needsMetadata: 22 },
  // 2 is KIP-890: clients let a write add its partition, and take a new epoch from the end of each transaction.
  { name: 'transaction.version', min: 0, max: 2, initial: 2, needsMetadata: 22 },
];

const schema = z.strictObject({
  /** Rises with every change, so that clients know the newer of two answers. */
  epoch: z.int().min(0),
  levels: z.record(z.string(), z.int().min(0)),
});
type Content = z.infer<typeof schema>;

export const UPGRADE_TYPE = { upgrade: 1, safeDowngrade: 2, unsafeDowngrade: 3 } as const;

export interface FeatureUpdate {
  readonly name: string;
  readonly level: number;
  readonly upgradeType: number;
}

export class Features {
  readonly all: readonly Feature[];
  private readonly document: Document<Content>;

  constructor(document: Document<Content>, all: readonly Feature[] = FEATURES) {
    this.document = document;
    this.all = all;
  }

  get epoch(): number {
    return this.document.value.epoch;
  }

  /** The level that holds; what an earlier version of the broker knew better is cut to what this one supports. */
  level(name: string): number {
    const feature = this.all.find((one) => one.name === name);
    return feature ? levelOf(feature, this.document.value) : 0;
  }

  /** Features that can be on at all. */
  supported(): Feature[] {
    return this.all.filter(({ max }) => max > 0);
  }

  /** Those that are on, with their level. */
  finalized(): Array<{ name: string; level: number }> {
    return this.supported()
      .map((feature) => ({ name: feature.name, level: levelOf(feature, this.document.value) }))
      .filter(({ level }) => level > 0);
  }

  /** All of them or none: why not, undefined when it is done and durable (or could be, with `validateOnly`). */
  async update(updates: readonly FeatureUpdate[], validateOnly: boolean): Promise<string | undefined> {
    let problem: string | undefined;
    await this.document.update((now) => {
      const next = { ...now.levels };
      problem = undefined;
      for (const update of updates) {
        problem ??= this.problemOf(update, { ...now, levels: next });
        next[update.name] = update.level;
      }
      problem ??= this.dependencyProblem({ ...now, levels: next });
      const moves = updates.some(({ name, level }) => this.level(name) !== level);
      return problem !== undefined || validateOnly || !moves ? now : { epoch: now.epoch + 1, levels: next };
    });
    return problem;
  }

  private problemOf({ name, level, upgradeType }: FeatureUpdate, now: Content): string | undefined {
    const cannot = `cannot update feature ${name.slice(0, 300)}`;
    const feature = this.supported().find((one) => one.name === name);
    if (!feature) return `${cannot}: got a name that this broker does not support`;
    const { upgrade, safeDowngrade, unsafeDowngrade } = UPGRADE_TYPE;
    if (upgradeType !== upgrade && upgradeType !== safeDowngrade && upgradeType !== unsafeDowngrade) {
      return `${cannot}: got upgrade type ${upgradeType}, want 1 to 3`;
    }
    if (level < feature.min || level > feature.max) {
      return `${cannot}: got level ${level}, want ${feature.min} to ${feature.max}`;
    }
    const current = levelOf(feature, now);
    if (level < current && upgradeType === upgrade) {
      return `${cannot}: got level ${level} below ${current} as an upgrade, want a safe or unsafe downgrade`;
    }
    if (level > current && upgradeType !== upgrade) {
      return `${cannot}: got level ${level} above ${current} as a downgrade, want an upgrade`;
    }
    return undefined;
  }

  private dependencyProblem(next: Content): string | undefined {
    const metadata = this.all.find(({ name }) => name === METADATA_VERSION);
    const level = metadata ? levelOf(metadata, next) : 0;
    const broken = this.supported().find((one) => (one.needsMetadata ?? 0) > level && levelOf(one, next) > 0);
    return broken
      ? `cannot update features: got ${METADATA_VERSION} ${level}, want ${broken.needsMetadata} for ${broken.name}`
      : undefined;
  }
}

function levelOf({ name, max, initial }: Feature, { levels }: Content): number {
  return Math.min(levels[name] ?? initial, max);
}

/** @throws Error when the file is damaged */
export async function openFeatures(
  files: Files,
  dataDir: string,
  all: readonly Feature[] = FEATURES,
): Promise<Features> {
  const document = await openDocument<Content>(files, `${dataDir}/features.json`, {
    schema,
    empty: { epoch: 0, levels: {} },
  });
  return new Features(document, all);
}
