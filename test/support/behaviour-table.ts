/** A row of a table `behaviour | test`. */
export interface Row {
  readonly line: number;
  readonly behaviour: string;
  /** `path › words of a title`; several words, each to be found, stand behind further `›`. Several tests: `; `. */
  readonly tests: readonly string[];
}

export interface BehaviourTable {
  readonly rows: readonly Row[];
  /** The entries of the list under the heading `Not so yet`. */
  readonly open: readonly string[];
}

const OPEN_HEADING = '## Not so yet';

export function readBehaviours(markdown: string): BehaviourTable {
  const lines = markdown.split('\n');
  const openAt = lines.indexOf(OPEN_HEADING);
  const rows: Row[] = [];
  for (const [i, text] of lines.entries()) {
    if (!text.startsWith('|')) continue;
    const [behaviour = '', tests = ''] = text.slice(1, -1).split('|', 2).map(cell);
    if (/^[-: ]*$/.test(behaviour) || behaviour === 'behaviour') continue;
    rows.push({ line: i + 1, behaviour, tests: tests === '' ? [] : tests.split(/;\s+(?=\S+\.test\.ts\b)/) });
  }
  const open = openAt === -1 ? [] : lines.slice(openAt).filter((line) => line.startsWith('- '));
  return { rows, open };
}

/** What is wrong with a row, undefined when nothing is. `sourceOf` gives a file's source, undefined when it is not there. */
export function objection(row: Row, sourceOf: (path: string) => string | undefined): string | undefined {
  const where = `line ${row.line}`;
  if (row.tests.length === 0) return `${where} names no test`;
  for (const one of row.tests) {
    const [path, ...words] = one.split('›').map((part) => part.trim());
    const source = sourceOf(path!);
    if (source === undefined) return `${where} names ${path}, which is not there`;
    if (words.length === 0) return `${where} names no title in ${path}`;
    const { titles, literals } = namesIn(source);
    // Rows of a list of cases get into a title when it is put together, or into what is compared with Kafka.
    const isListed =
      titles.some((title) => /\$\{|\$\w|%\w/.test(title)) || /\bcompare\w*WithKafka\(/.test(source);
    const candidates = isListed ? [...titles, ...literals] : titles;
    const missing = words.find((word) => !candidates.some((candidate) => candidate.includes(word)));
    if (missing !== undefined) return `${where}: no title in ${path} says “${missing}”`;
  }
  return undefined;
}

/** Titles of tests and describes, and the short texts of lists of cases. */
export function namesIn(source: string): { titles: string[]; literals: string[] } {
  const literal = String.raw`(['"${'`'}])((?:\\.|(?!\1)[^\\])*?)\1`;
  // Also behind `test.each(...)` and `describe.skipIf(...)`.
  const title = new RegExp(String.raw`(?:\b(?:test|it|describe)(?:\.\w+)?\(|\)\()\s*${literal}`, 'g');
  const short = new RegExp(String.raw`(['"])((?:\\.|(?!\1)[^\\\n])*)\1`, 'g');
  return {
    titles: [...source.matchAll(title)].map((match) => unescaped(match[2]!)),
    literals: [...source.matchAll(short)].map((match) => unescaped(match[2]!)),
  };
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/g, '$1');
}

/** Markdown escapes what it would take for its own. */
function cell(text: string): string {
  return unescaped(text.trim());
}
