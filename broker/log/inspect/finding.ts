/**
 * What an inspection found. `damage` is what was acknowledged and is not what was written; the others cost nothing:
 * `torn` was never acknowledged, `rebuilt` is made again by itself, a `note` is worth a look.
 */
export const SEVERITIES = ['damage', 'torn', 'rebuilt', 'note'] as const;
export type Severity = (typeof SEVERITIES)[number];

export interface Finding {
  readonly severity: Severity;
  /** Below the data directory. */
  readonly file: string;
  readonly position?: number;
  readonly bytes?: number;
  readonly topic?: string;
  readonly partition?: number;
  readonly firstOffset?: number;
  readonly lastOffset?: number;
  readonly problem: string;
  /** What the broker will do about it, at its next start unless it says otherwise. */
  readonly consequence: string;
}

/** A disk that is gone as a whole would fill the memory with its pieces. */
const FINDINGS_MAX = 10_000;

/** Findings and counts of one inspection, as it goes on. */
export class Report {
  readonly findings: Finding[] = [];
  /** Not kept for lack of room. */
  dropped = 0;
  files = 0;
  bytes = 0;
  batches = 0;
  records = 0;
  readonly onProgress: (bytes: number) => void;

  constructor(onProgress: (bytes: number) => void = () => {}) {
    this.onProgress = onProgress;
  }

  add(finding: Finding): void {
    if (this.findings.length < FINDINGS_MAX) this.findings.push(finding);
    else this.dropped += 1;
  }

  /** So much more was read. */
  read(bytes: number): void {
    this.bytes += bytes;
    this.onProgress(this.bytes);
  }

  counts(): Record<Severity, number> {
    const counts = { damage: 0, torn: 0, rebuilt: 0, note: 0 };
    for (const { severity } of this.findings) counts[severity] += 1;
    return counts;
  }
}

const TITLES: Readonly<Record<Severity, string>> = {
  damage: 'DAMAGE',
  torn: 'torn tail, harmless',
  rebuilt: 'made again by itself',
  note: 'note',
};

export function formatFinding(finding: Finding): string {
  const { severity, file, position, bytes, topic, partition, firstOffset, lastOffset } = finding;
  const place = position === undefined ? '' : ` at byte ${position}`;
  const size = bytes === undefined ? '' : `, ${bytes} bytes`;
  const offsets = firstOffset === undefined ? '' : `, offsets ${firstOffset} to ${lastOffset ?? '?'}`;
  const what = topic === undefined ? '' : ` (${topic}-${partition}${offsets})`;
  return `${TITLES[severity]}: ${file}${place}${size}${what}\n  ${finding.problem}\n  → ${finding.consequence}`;
}
