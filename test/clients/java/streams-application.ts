/** An application of Kafka Streams in a virtual machine of its own: what goes in, what it has committed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import type { Java } from '../../support/java.ts';

export type ApplicationName = 'word-count' | 'join' | 'sessions';

export interface Input {
  readonly topic: string;
  /** That of the key, if there is none. */
  readonly partition?: number;
  readonly timestamp: number;
  readonly key: string;
  readonly value: string;
}

export interface StreamsApplication {
  createTopic(name: string, partitions: number): Promise<void>;
  start(): Promise<void>;
  /** Tells everything committed in a topic from now on. */
  read(topic: string): Promise<void>;
  addThread(): Promise<void>;
  /** Ends it and deletes its local state: a start after that restores it from the broker. */
  forgetState(): Promise<void>;
  /** Until the broker has acknowledged all of it. */
  send(inputs: readonly Input[]): Promise<void>;
  /** Ends it, and reads on until everything committed is told. */
  stop(): Promise<void>;
  /** Committed values by key, in their order. */
  readonly outputs: ReadonlyMap<string, readonly string[]>;
  outputCount(): number;
  /** What it has complained about. */
  complaints(): string;
  close(): void;
}

export function startStreamsApplication(
  java: Java,
  bootstrap: string,
  name: ApplicationName,
): StreamsApplication {
  const stateDirectory = mkdtempSync(join(tmpdir(), 'millrace-streams-'));
  const child = java.spawn('streams', 'millrace.Streams', [bootstrap, stateDirectory, name]);
  const outputs = new Map<string, string[]>();
  const waiting: Array<{ resolve: () => void; reject: (error: Error) => void }> = [];
  let count = 0;
  let complaints = '';
  child.stderr!.on('data', (chunk: Buffer) => void (complaints += chunk.toString()));
  createInterface({ input: child.stdout! }).on('line', (line) => {
    const [word, key, value] = line.split('\t');
    if (word === 'done') waiting.shift()?.resolve();
    if (word !== 'output') return;
    outputs.set(key!, [...(outputs.get(key!) ?? []), value!]);
    count += 1;
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => {
    for (const one of waiting.splice(0)) one.reject(new Error(`the application ended:\n${complaints}`));
  });
  const write = (...words: ReadonlyArray<string | number>): void =>
    void child.stdin!.write(`${words.join('\t')}\n`);
  const call = (...words: ReadonlyArray<string | number>): Promise<void> => {
    write(...words);
    return new Promise((resolve, reject) => void waiting.push({ resolve, reject }));
  };
  return {
    createTopic: (topic, partitions) => call('create', topic, partitions),
    start: () => call('start'),
    read: (topic) => call('read', topic),
    addThread: () => call('add-thread'),
    forgetState: () => call('forget-state'),
    send(inputs) {
      for (const one of inputs) {
        write('send', one.topic, one.partition ?? -1, one.timestamp, one.key, one.value);
      }
      return call('flush');
    },
    stop: () => call('stop'),
    outputs,
    outputCount: () => count,
    complaints: () => complaints,
    close() {
      process.off('exit', kill);
      kill();
      rmSync(stateDirectory, { recursive: true, force: true });
    },
  };
}
