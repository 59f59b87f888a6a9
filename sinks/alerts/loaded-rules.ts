import type { Host } from '../../broker/host/host.ts';
import type { AlertsConfig } from './config.ts';
import type { Engine } from './engine.ts';
import { formatProblem } from './rule.ts';
import { type LoadedFile, loadRuleFiles } from './rule-files.ts';

/** The rule files as they were read last, and their way into the engine. */
export class LoadedRules {
  private readonly config: AlertsConfig;
  private readonly host: Host;
  private loaded = new Map<string, LoadedFile>();

  constructor(config: AlertsConfig, host: Host) {
    this.config = config;
    this.host = host;
  }

  get files(): ReadonlyMap<string, LoadedFile> {
    return this.loaded;
  }

  get problems(): number {
    return [...this.loaded.values()].reduce((sum, file) => sum + file.problems.length, 0);
  }

  /** Reads the files and says what is newly bad in them; `keep` puts them in the place of the ones before. */
  async read(): Promise<{ readonly changed: boolean; readonly keep: () => void }> {
    const before = this.loaded;
    const files = await loadRuleFiles(this.host.files, this.config.rules, before, this.config.intervalMs);
    for (const [name, file] of files) {
      const known = this.loaded.get(name)?.problems.map(formatProblem) ?? [];
      for (const problem of file.problems.map(formatProblem)) {
        if (!known.includes(problem)) this.host.log.error({ file: name }, problem);
      }
    }
    const changed =
      files.size !== before.size || [...files].some(([name, file]) => before.get(name) !== file);
    return { changed, keep: () => void (this.loaded = files) };
  }

  applyTo(engine: Engine): void {
    const rules = [...this.loaded.values()].flatMap((file) => [...file.rules]);
    const seen = [...engine.partitions.values()].map(({ readUntilMs }) => readUntilMs);
    // A rule that is new on a running stream has not seen what came before.
    const completeFromMs = engine.position.size === 0 ? -Infinity : Math.max(-Infinity, ...seen);
    engine.setRules(rules, completeFromMs);
    this.host.log.info({ rules: rules.length, files: this.loaded.size }, 'alert rules loaded');
  }
}
