/** Fingerprint of everything that was asked of a disk, and when: two runs with the same one went the same way. */
export class SimTrace {
  operations = 0;
  #high = 0x811c9dc5;
  #low = 0x2f0b4c47;

  /** FNV-1a, twice from different starts: not against anybody's will, only against chance. */
  note(operation: string, path: string, atMs: number): void {
    this.operations += 1;
    this.#text(operation);
    this.#text(path);
    this.number(atMs * 1e6);
  }

  number(value: number): void {
    this.#mix(value >>> 0);
    this.#mix(Math.floor(value / 2 ** 32) >>> 0);
  }

  get hash(): string {
    const hex = (half: number): string => (half >>> 0).toString(16).padStart(8, '0');
    return hex(this.#high) + hex(this.#low);
  }

  #text(text: string): void {
    for (let i = 0; i < text.length; i += 1) this.#mix(text.charCodeAt(i));
  }

  #mix(value: number): void {
    this.#high = Math.imul(this.#high ^ value, 0x01000193);
    this.#low = Math.imul(this.#low ^ (value + 0x9e37), 0x01000193) ^ (this.#low >>> 15);
  }
}
