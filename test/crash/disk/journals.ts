import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { basename, join } from 'node:path';

import type { Ledger } from './ledger.ts';

const PIECE_BYTES = 1024 * 1024;

/** The producers' journals, `<producer>.journal` in one folder, off the disk under test: followed as they grow. */
export class Journals {
  readonly folder: string;
  readonly #ledger: Ledger;
  readonly #files = new Map<string, { descriptor: number; position: number; rest: string }>();

  constructor(folder: string, ledger: Ledger) {
    this.folder = folder;
    this.#ledger = ledger;
  }

  /** Everything written so far, into the ledger; the number of this reading. */
  read(): number {
    this.#ledger.reading += 1;
    for (const name of readdirSync(this.folder)) {
      if (name.endsWith('.journal')) this.#readOne(name);
    }
    return this.#ledger.reading;
  }

  close(): void {
    for (const { descriptor } of this.#files.values()) closeSync(descriptor);
    this.#files.clear();
  }

  #readOne(name: string): void {
    let file = this.#files.get(name);
    if (!file) {
      file = { descriptor: openSync(join(this.folder, name), 'r'), position: 0, rest: '' };
      this.#files.set(name, file);
    }
    const producer = basename(name, '.journal');
    const piece = Buffer.allocUnsafe(PIECE_BYTES);
    for (;;) {
      const got = readSync(file.descriptor, piece, 0, PIECE_BYTES, file.position);
      if (got === 0) return;
      file.position += got;
      const lines = (file.rest + piece.toString('latin1', 0, got)).split('\n');
      file.rest = lines.pop()!;
      for (const line of lines) this.#ledger.take(producer, line);
    }
  }
}
