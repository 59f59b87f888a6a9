/** One child process of `up`: started, spoken to over IPC, its output read line by line. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import type { FromPart, ToPart } from '../process/messages.ts';

export interface ChildEvents {
  message(message: FromPart): void;
  line(line: string, stream: 'stdout' | 'stderr'): void;
  exit(how: string): void;
}

export interface Child {
  readonly pid: number | undefined;
  send(message: ToPart): void;
  kill(signal: NodeJS.Signals): void;
}

// Under the cached build this is main.js, in a source checkout main.ts: the same ending as this file's.
const ENDING = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const PROGRAM = fileURLToPath(new URL(`../command/main.${ENDING}`, import.meta.url));

export function startChild(
  name: string,
  environment: Readonly<Record<string, string>>,
  nodeArguments: readonly string[],
  events: ChildEvents,
): Child {
  const child: ChildProcess = spawn(process.execPath, [...nodeArguments, PROGRAM, 'part', name], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, ...environment },
    serialization: 'advanced',
  });
  child.on('message', (message) => events.message(message as FromPart));
  createInterface({ input: child.stdout! }).on('line', (line) => events.line(line, 'stdout'));
  createInterface({ input: child.stderr! }).on('line', (line) => events.line(line, 'stderr'));
  child.on('error', (error) => events.line(`cannot run the process: ${error.message}`, 'stderr'));
  child.on('exit', (code, signal) => events.exit(signal ? `signal ${signal}` : `exit code ${code}`));
  return {
    pid: child.pid,
    send(message) {
      // A channel that just closed is told by `exit`; the message has nobody to read it.
      if (child.connected) child.send(message, () => undefined);
    },
    kill: (signal) => void child.kill(signal),
  };
}
