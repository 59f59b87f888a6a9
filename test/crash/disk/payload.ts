import { createHash } from 'node:crypto';

/**
 * What a record of the load says about itself, so that whoever finds it knows whose it is and where it belongs:
 * `run producer life transaction topic partition seq padding sha`. The sha is of all in front of it, 16 hex digits.
 */
export interface Payload {
  readonly run: string;
  readonly producer: string;
  /** Rises with each new producer identity under that name. */
  readonly life: number;
  /** 0: outside of transactions. */
  readonly transaction: number;
  readonly topic: string;
  readonly partition: number;
  /** Rises by one with each record of this producer in this partition, whatever became of it. */
  readonly seq: number;
}

const SHA_DIGITS = 16;
/** Keys of one producer in one partition; compaction keeps the latest record of each. */
export const KEYS = 50;

export function keyOf({ producer, partition, seq }: Pick<Payload, 'producer' | 'partition' | 'seq'>): string {
  return `${producer}/${partition}/${seq % KEYS}`;
}

export function writePayload(payload: Payload, padding: string): string {
  const { run, producer, life, transaction, topic, partition, seq } = payload;
  const text = `${run} ${producer} ${life} ${transaction} ${topic} ${partition} ${seq} ${padding} `;
  return text + sha(text);
}

/** Undefined when it is not what was written. */
export function readPayload(value: string): Payload | undefined {
  const at = value.length - SHA_DIGITS;
  if (at <= 0 || sha(value.slice(0, at)) !== value.slice(at)) return undefined;
  const [run, producer, life, transaction, topic, partition, seq] = value.split(' ', 7);
  return {
    run: run!,
    producer: producer!,
    life: Number(life),
    transaction: Number(transaction),
    topic: topic!,
    partition: Number(partition),
    seq: Number(seq),
  };
}

function sha(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, SHA_DIGITS);
}
