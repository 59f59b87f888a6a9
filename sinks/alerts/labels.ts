import { createHash } from 'node:crypto';

/** The labels of a series or an alert; a label with an empty value is no label. */
export type Labels = Readonly<Record<string, string>>;

/** Equal for equal label sets, whatever their order. */
export function labelsKey(labels: Labels): string {
  let key = '';
  for (const name of Object.keys(labels).sort()) {
    if (labels[name] !== '') key += `${name}\u0000${labels[name]}\u0001`;
  }
  return key;
}

/** 16 hex digits that stand for these texts, the same in every process. */
export function fingerprint(...texts: readonly string[]): string {
  const hash = createHash('sha256');
  // Lengths first, so that ['ab', 'c'] and ['a', 'bc'] differ.
  for (const text of texts) hash.update(`${text.length}:`).update(text);
  return hash.digest('hex').slice(0, 16);
}

/** Without a prototype, so that a label named `constructor` or `__proto__` is an ordinary label. */
export function newLabels(entries: Iterable<readonly [string, string]> = []): Record<string, string> {
  const labels = Object.create(null) as Record<string, string>;
  for (const [name, value] of entries) if (value !== '') labels[name] = value;
  return labels;
}

/** `{alertname="Errors", level="error"}` */
export function formatLabels(labels: Labels): string {
  const members = Object.keys(labels)
    .sort()
    .map((name) => `${name}=${JSON.stringify(labels[name])}`);
  return `{${members.join(', ')}}`;
}
