import type { Counter, Gauge, Metrics } from '../../broker/host/metrics.ts';

/** What the agent counts. */
export interface AgentMetrics {
  readonly readLines: Counter;
  readonly readBytes: Counter;
  readonly cutLines: Counter;
  readonly partialLines: Counter;
  readonly truncations: Counter;
  /** By `reason`. */
  readonly lostBytes: Counter;
  /** By `signal`. */
  readonly sentRecords: Counter;
  readonly sentBytes: Counter;
  /** By `reason`: a status or `unreachable`. */
  readonly retriedRequests: Counter;
  /** By `reason` and `signal`. */
  readonly droppedRecords: Counter;
  readonly openFiles: Gauge;
  readonly unreadBytes: Gauge;
  readonly checkpointAge: Gauge;
  readonly checkpointErrors: Counter;
}

export function agentMetrics(metrics: Metrics): AgentMetrics {
  const counter = (name: string, help: string): Counter =>
    metrics.counter(`millrace_agent_${name}_total`, help);
  const gauge = (name: string, help: string): Gauge => metrics.gauge(`millrace_agent_${name}`, help);
  return {
    readLines: counter('read_lines', 'Lines read from files.'),
    readBytes: counter('read_bytes', 'Bytes read from files, line ends included.'),
    cutLines: counter('cut_lines', 'Lines longer than the limit, of which only the beginning was sent.'),
    partialLines: counter('partial_lines', 'Pieces of lines sent because the end of the line did not come.'),
    truncations: counter('truncated_files', 'Times a file was found truncated and read from its beginning.'),
    lostBytes: counter('lost_bytes', 'Bytes seen in a file that were gone before they were read.'),
    sentRecords: counter('sent_records', 'Records acknowledged by the collector.'),
    sentBytes: counter('sent_bytes', 'Request bytes acknowledged by the collector.'),
    retriedRequests: counter('retried_requests', 'Requests that were sent again.'),
    droppedRecords: counter('dropped_records', 'Records that the collector refused for good.'),
    openFiles: gauge('open_files', 'Files held open.'),
    unreadBytes: gauge('unread_bytes', 'Bytes in files that are not read yet.'),
    checkpointAge: gauge('checkpoint_age_seconds', 'How long the oldest unsaved acknowledgement waits.'),
    checkpointErrors: counter('checkpoint_errors', 'Writes of the positions that failed.'),
  };
}
