/**
 * Headers on the Kafka records that our collector writes, and on the OTLP/HTTP requests of our agents.
 *
 * The value of a record is an OTLP request body (`otlp_proto`): its `resource_logs` (`_metrics`, `_spans`)
 * submessages as received. What others write carries no headers and no key, and is read just as well.
 */
export const RECORD_HEADERS = {
  /** Who sent it: a stable id of the agent's source (UTF-8). Absent when the sender is not ours. */
  source: 'millrace.source',
  /** Position in that source's sequence, decimal; the same batch sent again carries the same number. */
  sequence: 'millrace.sequence',
  /**
   * `i/n`, both decimal, i from 0: the place of this record among the n that one batch of a source became (large
   * batches are split). The same batch sent again splits the same way, so source, sequence and part together
   * name a record.
   */
  part: 'millrace.part',
  /** Log records, data points or spans in the value, decimal. */
  count: 'millrace.count',
} as const;

/** The same on the HTTP request from agent to collector. */
export const REQUEST_HEADERS = {
  source: 'millrace-source',
  sequence: 'millrace-sequence',
} as const;

/** A record's value never exceeds this: below the broker's and Apache Kafka's default `max.message.bytes`. */
export const RECORD_BYTES_MAX = 900_000;
