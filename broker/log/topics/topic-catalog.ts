import type { Files } from '../../host/files.ts';
import { readChecked, writeChecked } from '../durable/checked-file.ts';

/**
 * Which topics there are: one small file, replaced as a whole and durable before an answer. It is the only place
 * that knows the names (directories carry ids), so it is kept twice; the newer intact copy wins.
 */
export interface TopicEntry {
  readonly name: string;
  readonly id: string;
  readonly partitions: number;
  readonly internal: boolean;
  readonly configs: Readonly<Record<string, string>>;
}

interface Content {
  readonly version: 1;
  /** Rises with every change. */
  readonly revision: number;
  readonly topics: readonly TopicEntry[];
}

const COPIES = ['topics.json', 'topics.copy.json'];

export class TopicCatalog {
  readonly files: Files;
  readonly directory: string;
  topics: readonly TopicEntry[] = [];
  /** Copies that were damaged: the other may be one change behind, so nothing is removed for not being listed. */
  damaged: readonly string[] = [];
  #revision = 0;

  constructor(files: Files, directory: string) {
    this.files = files;
    this.directory = directory;
  }

  /** Throws when no copy can be read though there are copies. */
  async load(): Promise<void> {
    const damaged: string[] = [];
    let found: Content | undefined;
    for (const name of COPIES) {
      const copy = await readChecked(this.files, `${this.directory}/${name}`);
      if (copy.state === 'damaged') damaged.push(`${this.directory}/${name}`);
      if (copy.state !== 'good') continue;
      const content = copy.value as Content;
      if (content.version !== 1) {
        throw new Error(`cannot open log: got version ${String(content.version)} of ${name}, want 1`);
      }
      if (!found || content.revision > found.revision) found = content;
    }
    if (damaged.length > 0 && !found) {
      throw new Error(
        `cannot open log: got damage in ${this.directory}/${COPIES.join(' and ')}, want one intact`,
      );
    }
    this.damaged = damaged;
    this.topics = found?.topics ?? [];
    this.#revision = found?.revision ?? 0;
  }

  /** Durable when it resolves; after a rejection either content may be the one that a restart finds. */
  async store(topics: readonly TopicEntry[]): Promise<void> {
    this.#revision += 1;
    const content: Content = { version: 1, revision: this.#revision, topics };
    for (const name of COPIES) await writeChecked(this.files, `${this.directory}/${name}`, content);
    this.topics = topics;
    this.damaged = [];
  }
}
