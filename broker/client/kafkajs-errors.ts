import { KafkaError } from './error.ts';

/** kafkajs' error, found under its wrappers, as ours; `doing` completes "cannot …". */
export function kafkaErrorOf(error: unknown, doing: string): KafkaError {
  if (error instanceof KafkaError) return error;
  const root = rootOf(error);
  const reason = root instanceof Error ? root.message : String(root);
  const { type, retriable } = root as { type?: string; retriable?: boolean };
  const message = `cannot ${doing}: ${reason}`;
  if (root instanceof KafkaError) return new KafkaError(root.code, message, root.retriable, error);
  // Protocol errors carry Kafka's own name and verdict.
  if (typeof type === 'string') return new KafkaError(type, message, retriable ?? false, error);
  const name = root instanceof Error ? root.name : '';
  const connection = name.includes('Connection') || name.includes('Broker') || name.includes('Timeout');
  return new KafkaError(
    connection ? 'CONNECTION' : 'CLIENT',
    message,
    connection || retriable === true,
    error,
  );
}

function rootOf(error: unknown): unknown {
  let root = error;
  // Bounded: a cause could point back at its owner.
  for (let depth = 0; depth < 10; depth += 1) {
    const { cause } = (root ?? {}) as { cause?: unknown };
    if (!(cause instanceof Error)) break;
    root = cause;
  }
  return root;
}
