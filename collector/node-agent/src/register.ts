/**
 * `node --import @millrace/agent app.js`: ships what pino and console write to an OTLP collector.
 *
 * Promises to the application: no exception, no output but one line at start and what was dropped, no signal
 * handler, no changed exit status, no process kept alive.
 */
import { isMainThread } from 'node:worker_threads';

import { captureConsole, capturedError } from './capture-console.ts';
import { capturePino } from './capture-pino.ts';
import { Queue } from './queue.ts';
import { say } from './say.ts';
import { readSettings } from './settings.ts';

const LOADED = Symbol.for('millrace.agent');

function register(): void {
  const global = globalThis as { [LOADED]?: true };
  if (global[LOADED] || process.env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true') return;
  global[LOADED] = true;
  const settings = readSettings(process.env, process.argv[1]);
  const queue = new Queue(settings);
  capturePino((record) => queue.push(record));
  captureConsole((record) => queue.push(record));
  // The monitor sees the error and changes nothing: the process still dies of it, or the application handles it.
  process.on('uncaughtExceptionMonitor', (error: unknown) => {
    const known = error instanceof Error ? capturedError(error) : undefined;
    const text = `Uncaught ${known ? `${known.type}: ${known.message}` : String(error)}`;
    queue.push({ kind: 'process', text, timeMs: Date.now(), level: 'fatal', error: known });
  });
  process.on('exit', () => queue.drain());
  if (isMainThread && !settings.quiet) {
    say(`logs of ${settings.resource['service.name']} (pino, console) go to ${settings.url}`);
  }
}

try {
  register();
} catch (error) {
  say(`not started: ${error instanceof Error ? error.message : String(error)}`);
}
