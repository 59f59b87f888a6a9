/** What a reader found, record by record, with what is wrong whoever sent it: damage, repeats, wrong order. */
import { laneKey } from './ledger.ts';
import { readPayload } from './payload.ts';

export type Rule =
  | 'lost'
  | 'duplicated'
  | 'reordered'
  | 'invented'
  | 'written though failed'
  | 'wrong offset'
  | 'damaged'
  | 'gap'
  | 'torn transaction'
  | 'aborted but read'
  | 'changed'
  | 'deleted too early'
  | 'stuck';

export interface Finding {
  readonly rule: Rule;
  readonly says: string;
}

export interface FoundLane {
  readonly producer: string;
  readonly topic: string;
  readonly partition: number;
  /** By seq; undefined: not found. */
  readonly offsets: Array<number | undefined>;
  lastSeq: number;
  lastLife: number;
}

/** Findings kept of one rule and reader; the rest is counted in the last one. */
const FINDINGS_MAX = 20;

export class Found {
  readonly run: string;
  readonly reader: string;
  readonly lanes = new Map<string, FoundLane>();
  readonly findings: Finding[] = [];
  records = 0;
  /** Records of an abandoned identity that stand behind those of the next one, which idempotence does not forbid. */
  late = 0;

  constructor(run: string, reader: string) {
    this.run = run;
    this.reader = reader;
  }

  /** Records of one partition in the order of their offsets. */
  take(topic: string, partition: number, offset: number, value: string): void {
    this.records += 1;
    const place = `${topic}-${partition} at ${offset}`;
    const payload = readPayload(value);
    if (!payload) {
      this.report('damaged', `${place}: got ${value.slice(0, 60)}…`);
      return;
    }
    const { producer, seq, life, transaction } = payload;
    if (payload.run !== this.run || payload.topic !== topic || payload.partition !== partition) {
      this.report(
        'invented',
        `${place}: a record of ${payload.run} for ${payload.topic}-${payload.partition}`,
      );
      return;
    }
    const key = laneKey(producer, topic, partition);
    let lane = this.lanes.get(key);
    if (!lane) {
      lane = { producer, topic, partition, offsets: [], lastSeq: -1, lastLife: -1 };
      this.lanes.set(key, lane);
    }
    const before = lane.offsets[seq];
    if (before !== undefined) {
      this.report('duplicated', `${place}: ${key} seq ${seq} stands at ${before} too`);
      return;
    }
    while (lane.offsets.length < seq) lane.offsets.push(undefined);
    lane.offsets[seq] = offset;
    if (seq > lane.lastSeq) {
      lane.lastSeq = seq;
      lane.lastLife = life;
    } else if (life < lane.lastLife && transaction === 0) this.late += 1;
    else this.report('reordered', `${place}: ${key} seq ${seq} stands behind ${lane.lastSeq}`);
  }

  report(rule: Rule, says: string): void {
    const count = this.findings.filter((one) => one.rule === rule).length;
    if (count < FINDINGS_MAX) this.findings.push({ rule, says: `${this.reader}: ${says}` });
  }
}
