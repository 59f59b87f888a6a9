/** Steps that may each fail or hang without taking the others with them; what failed is said in the end. */
export class Attempts {
  readonly failed: string[] = [];

  async try<T>(what: string, step: () => Promise<T>, deadlineMs = 20_000): Promise<T | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not done in ${deadlineMs} ms`)), deadlineMs);
    });
    try {
      return await Promise.race([step(), late]);
    } catch (error) {
      this.failed.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }
}
