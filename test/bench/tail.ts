import { createWriteStream, readdirSync, readFileSync, renameSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';

import { exportResponse } from '../../broker/records/otlp/responses.ts';
import { walkRequest } from '../../broker/records/otlp/walk.ts';
import { contentOf } from '../../collector/generate/content.ts';
import { sharedPath } from '../support/shared.ts';
import type { Bench } from './bench.ts';
import { QUIET } from './broker-process.ts';
import { cpuSeconds, mib, residentMib } from './process-usage.ts';
import { untilReady, type Workplace } from './workplace.ts';

/** What the agent may take a second, so that a run of ten seconds is about that long. */
const LINES_PER_SECOND_OF_RUN = 300_000;

/** The agent on one big file that is there all at once, into a receiver that only counts. */
export const bench: Bench = {
  name: 'tail',
  about: 'the agent reads a file and sends it: lines per CPU-second',
  async run({ seconds, workplace, say, report }) {
    const directory = workplace.directory();
    const path = join(directory, 'bench.log');
    const { lines, bytes, from } = await writeFile(path, Math.round(seconds * LINES_PER_SECOND_OF_RUN));
    const receiver = await countingReceiver(workplace);
    const args = ['--data-dir', directory, '--tail', path, '--collector', receiver.url];
    const agent = workplace.millrace(['agent', ...args], {
      ...QUIET,
      MILLRACE_AGENT__HOST_METRICS__ENABLED: 'false',
    });
    await untilReady(agent, () =>
      agent.output().includes('agent started') ? Promise.resolve() : Promise.reject(new Error('not ready')),
    );
    say(`${lines} lines`);
    const cpuBefore = cpuSeconds(agent.pid);
    const start = performance.now();
    // It appears whole: nothing is measured but reading.
    renameSync(`${path}.made`, path);
    await receiver.received(lines);
    const elapsedS = (performance.now() - start) / 1_000;
    const cpu = cpuSeconds(agent.pid) - cpuBefore;
    const note = `${lines} lines of ${Math.round(bytes / lines)} B (${from}), positions fsynced`;
    report({ what: 'agent', value: lines / cpu, unit: 'lines/CPU-s', note });
    report({ what: 'agent', value: lines / elapsedS, unit: 'lines/s' });
    report({ what: 'agent', value: mib(bytes) / elapsedS, unit: 'MiB/s' });
    report({ what: 'resident memory of the agent', value: residentMib(agent.pid), unit: 'MiB' });
    await agent.stop();
  },
};

/** `<path>.made`: real logs repeated where they are beside the checkout, else generated ones. */
async function writeFile(
  path: string,
  lines: number,
): Promise<{ lines: number; bytes: number; from: string }> {
  const corpus = sharedPath('data/loghub');
  const texts = corpus === undefined ? generated() : collected(corpus);
  const file = createWriteStream(`${path}.made`);
  let written = 0;
  let bytes = 0;
  while (written < lines) {
    for (const { text, count } of texts) {
      bytes += text.length;
      written += count;
      if (!file.write(text)) await new Promise<void>((resolve) => file.once('drain', () => resolve()));
    }
  }
  file.end();
  await finished(file);
  return { lines: written, bytes, from: corpus === undefined ? 'generated' : 'loghub' };
}

function collected(corpus: string): Array<{ text: Buffer; count: number }> {
  return readdirSync(corpus)
    .filter((name) => name.endsWith('.log'))
    .map((name) => withEnd(readFileSync(join(corpus, name))));
}

function generated(): Array<{ text: Buffer; count: number }> {
  const lines = Array.from({ length: 10_000 }, (_, n) => contentOf(1, n).record.body as string);
  return [withEnd(Buffer.from(lines.join('\n')))];
}

function withEnd(text: Buffer): { text: Buffer; count: number } {
  const whole = text.at(-1) === 0x0a ? text : Buffer.concat([text, Buffer.from('\n')]);
  let count = 0;
  for (const byte of whole) if (byte === 0x0a) count += 1;
  return { text: whole, count };
}

/** An OTLP receiver that acknowledges everything and counts it. */
async function countingReceiver(
  workplace: Workplace,
): Promise<{ url: string; received(lines: number): Promise<void> }> {
  let seen = 0;
  const answer = exportResponse('logs', 'protobuf');
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.url === '/v1/logs') seen += walkRequest('logs', Buffer.concat(chunks)).count;
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  workplace.onClose(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async received(lines) {
      const deadline = performance.now() + 120_000;
      while (seen < lines) {
        if (performance.now() > deadline) throw new Error(`cannot see all lines: got ${seen}, want ${lines}`);
        await new Promise((resolve) => void setTimeout(resolve, 5));
      }
    },
  };
}
