/**
 * How long a refused client waits for its answer, Kafka's `connection.failed.authentication.delay.ms`: who guesses
 * passwords, or retries without end, gets ten a second on a connection.
 */
export const FAILURE_DELAY_MS = 100;
