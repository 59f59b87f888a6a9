import { replaceFile, type Files } from '../host/files.ts';

/** Ids taken at once: one durable write serves so many producers, and a crash skips at most so many ids. */
const BLOCK = 1_000;
const FILE = 'producer-ids.json';

/** Producer ids, never given twice, whatever crashes when. */
export class ProducerIds {
  private readonly files: Files;
  private readonly path: string;
  private next = 0;
  private end = 0;
  private taking: Promise<void> | undefined;

  constructor(files: Files, dataDir: string) {
    this.files = files;
    this.path = `${dataDir}/${FILE}`;
  }

  /** @throws Error when the file cannot be read as what it should be */
  async open(): Promise<void> {
    const content = await this.files.readFile(this.path);
    if (!content) return;
    const end = endOf(content.toString());
    if (end === undefined) {
      throw new Error(
        `cannot read ${this.path}: got ${content.length} bytes without a valid "end", want the file as written`,
      );
    }
    this.next = end;
    this.end = end;
  }

  /** Rejects with the disk's error when a new block cannot be written. */
  async allocate(): Promise<number> {
    while (this.next >= this.end) {
      this.taking ??= this.take().finally(() => {
        this.taking = undefined;
      });
      await this.taking;
    }
    return this.next++;
  }

  private async take(): Promise<void> {
    const end = this.end + BLOCK;
    await replaceFile(this.files, this.path, Buffer.from(`${JSON.stringify({ end })}\n`));
    this.end = end;
  }
}

function endOf(text: string): number | undefined {
  try {
    const { end } = JSON.parse(text) as { end?: unknown };
    return Number.isSafeInteger(end) && (end as number) >= 0 ? (end as number) : undefined;
  } catch {
    return undefined;
  }
}
