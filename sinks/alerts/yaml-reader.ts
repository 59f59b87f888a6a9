import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLMap,
} from 'yaml';

import type { Problem } from './rule.ts';

/**
 * Reads YAML strictly: every mistake becomes a problem with its place, and reading goes on, so that one run
 * shows all of them. An unknown key is a mistake: a rule with a misspelt `for` must not fire at once.
 */
export class YamlReader {
  readonly problems: Problem[] = [];
  readonly root: Node | null;
  private readonly file: string;
  private readonly document: Document;
  private readonly lines = new LineCounter();

  constructor(file: string, source: string) {
    this.file = file;
    const document = parseDocument(source, {
      lineCounter: this.lines,
      prettyErrors: false,
      uniqueKeys: true,
    });
    for (const error of [...document.errors, ...document.warnings]) {
      this.problemAt(error.pos[0], `cannot read YAML: ${error.message}`);
    }
    this.document = document;
    this.root = this.problems.length > 0 ? null : document.contents;
  }

  /** The members of a map by key; unknown keys are problems. Undefined, with a problem, for anything else. */
  fields(node: Node | null | undefined, what: string, known: readonly string[]): Fields | undefined {
    if (!isMap(node)) {
      this.problem(node, `cannot read ${what}: got ${kindOf(node)}, want a map`);
      return undefined;
    }
    const fields = new Map<string, Node>();
    for (const [key, keyNode, value] of this.members(node)) {
      if (!known.includes(key)) {
        this.problem(keyNode, `unknown key ${key} in ${what}: want one of ${known.join(', ')}`);
      } else if (value) {
        fields.set(key, value);
      }
    }
    return { node, what, fields };
  }

  /** What a map says, aliases replaced; merged maps (`<<`) come first, so that its own keys win. */
  private members(map: YAMLMap, depth = 0): Array<[name: string, key: Node, value: Node | null]> {
    const merged: Array<[string, Node, Node | null]> = [];
    const own: Array<[string, Node, Node | null]> = [];
    for (const { key, value } of (map as YAMLMap<Node, Node | null>).items) {
      const name = isScalar(key) ? String(key.value) : '';
      const target = this.target(value);
      if (name !== '<<' || depth === MERGE_DEPTH_MAX) own.push([name, key, target]);
      else {
        const maps = isSeq(target) ? (target.items as Node[]).map((one) => this.target(one)) : [target];
        // Of several maps the first one wins.
        for (const one of maps.toReversed()) if (isMap(one)) merged.push(...this.members(one, depth + 1));
      }
    }
    return [...merged, ...own];
  }

  /** What an alias stands for. */
  private target(node: Node | null): Node | null {
    return isAlias(node) ? (node.resolve(this.document) ?? null) : node;
  }

  items(node: Node | null | undefined, what: string): Node[] {
    if (node === undefined) return [];
    if (isSeq(node)) return (node.items as Node[]).map((one) => this.target(one) ?? one);
    if (!(isScalar(node) && node.value === null)) {
      this.problem(node, `cannot read ${what}: got ${kindOf(node)}, want a list`);
    }
    return [];
  }

  text({ fields, node, what }: Fields, key: string, required = false): string | undefined {
    const value = fields.get(key);
    if (isScalar(value) && (typeof value.value === 'string' || typeof value.value === 'number')) {
      return typeof value.value === 'string' ? value.value : String(value.source ?? value.value);
    }
    if (value && !isNothing(value)) {
      this.problem(value, `cannot read ${key} of ${what}: got ${kindOf(value)}, want a text`);
    } else if (required) this.problem(node, `cannot read ${what}: got no ${key}, want one`);
    return undefined;
  }

  whole({ fields, what }: Fields, key: string): number | undefined {
    const value = fields.get(key);
    if (!value || isNothing(value)) return undefined;
    if (isScalar(value) && Number.isInteger(value.value) && (value.value as number) >= 0) {
      return value.value as number;
    }
    this.problem(value, `cannot read ${key} of ${what}: got ${kindOf(value)}, want a whole number`);
    return undefined;
  }

  durationMs(fields: Fields, key: string): number | undefined {
    const text = this.text(fields, key);
    if (text === undefined) return undefined;
    const durationMs = parsePrometheusDurationMs(text);
    if (durationMs !== undefined) return durationMs;
    this.problem(
      fields.fields.get(key),
      `cannot read ${key} of ${fields.what}: got ${text}, want a duration such as 5m`,
    );
    return undefined;
  }

  /** A map from label or annotation names to texts. */
  texts({ fields, what }: Fields, key: string): Map<string, { text: string; node: Node }> {
    const texts = new Map<string, { text: string; node: Node }>();
    const value = fields.get(key);
    if (!value || (isScalar(value) && value.value === null)) return texts;
    if (!isMap(value)) {
      this.problem(value, `cannot read ${key} of ${what}: got ${kindOf(value)}, want a map`);
      return texts;
    }
    for (const [name, keyNode, scalar] of this.members(value)) {
      if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) {
        this.problem(keyNode, `cannot use ${name} in ${key}: want a name of letters, digits and _`);
      } else if (!isScalar(scalar) || scalar.value === null || typeof scalar.value === 'object') {
        this.problem(
          scalar ?? keyNode,
          `cannot read ${key}.${name} of ${what}: got ${kindOf(scalar)}, want a text`,
        );
      } else {
        const text =
          typeof scalar.value === 'string' ? scalar.value : (scalar.source ?? JSON.stringify(scalar.value));
        texts.set(name, { text, node: scalar });
      }
    }
    return texts;
  }

  /** `offset`: into the value of a scalar, for messages about what stands inside a text. */
  problem(node: unknown, message: string, offset = 0): void {
    this.problemAt(this.offsetIn(node, offset), message);
  }

  private problemAt(offset: number, message: string): void {
    const { line, col } = this.lines.linePos(offset);
    this.problems.push({ file: this.file, line: Math.max(line, 1), column: Math.max(col, 1), message });
  }

  private offsetIn(node: unknown, offset: number): number {
    const scalar = node as { range?: [number, number, number] | null; type?: string } | null | undefined;
    const start = scalar?.range?.[0] ?? 0;
    // Only plain scalars lie in the file as they are; folded and quoted ones are named by their start.
    return scalar?.type === 'PLAIN' ? start + offset : start;
  }
}

export interface Fields {
  readonly node: Node;
  readonly what: string;
  readonly fields: ReadonlyMap<string, Node>;
}

/** Merged maps that merge maps … */
const MERGE_DEPTH_MAX = 8;

/** Prometheus' own form: whole numbers, each unit once, the larger ones first. */
function parsePrometheusDurationMs(text: string): number | undefined {
  if (text === '0') return 0;
  const parts = /^(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$/.exec(text);
  if (!parts || text === '') return undefined;
  const unitsMs = [31_536_000_000, 604_800_000, 86_400_000, 3_600_000, 60_000, 1_000, 1];
  return unitsMs.reduce(
    (sum, unitMs, index) => sum + Number.parseInt(parts[index + 1] ?? '0', 10) * unitMs,
    0,
  );
}

function isNothing(node: Node): boolean {
  return isScalar(node) && node.value === null;
}

function kindOf(node: Node | null | undefined): string {
  if (isMap(node)) return 'a map';
  if (isSeq(node)) return 'a list';
  if (isScalar(node) && node.value !== null) return JSON.stringify(node.value);
  return 'nothing';
}
