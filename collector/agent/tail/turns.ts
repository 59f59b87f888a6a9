/** So many at once, the others in the order in which they asked. */
export class Turns {
  private free: number;
  private readonly waiting: Array<() => void> = [];

  constructor(atOnce: number) {
    this.free = atOnce;
  }

  async take(): Promise<void> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((resolve) => void this.waiting.push(resolve));
  }

  give(): void {
    const next = this.waiting.shift();
    if (next) next();
    else this.free += 1;
  }
}
