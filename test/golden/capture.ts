/**
 * Captures what real clients and Apache Kafka say to each other: `node test/golden/capture.ts [client...]`, without
 * clients all of them; others keep what was captured before. Wants Java with Maven, Go, and librdkafka for Python.
 *
 * The clients come to Kafka through a recording proxy. Of each client, API and version one exchange is kept in
 * `exchanges.json`, and of each client and kind one stored batch in `batches.json`. Whoever captures again reads the
 * difference: the bytes are theirs, `asks` and `answers` are ours and have to be true.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { RequestOf, ResponseOf } from '../../broker/wire/codec.ts';
import type { fetch, produce } from '../../broker/wire/schemas/index.ts';
import { buildGoClients } from '../clients/go/build.ts';
import { startRealKafka } from '../clients/java/real-kafka.ts';
import { LIBRDKAFKA_PROGRAM, librdkafkaProblem, PYTHON } from '../clients/python/librdkafka.ts';
import { runProgram } from '../clients/run-program.ts';
import { type ClassPath, prepareJava } from '../support/java.ts';
import { BATCHES_PATH, ChosenBatches, type GoldenBatch, readGoldenBatches } from './batches.ts';
import { ChosenExchanges } from './chosen-exchanges.ts';
import { Attempts } from './clients/attempts.ts';
import { runKafkajs } from './clients/kafkajs.ts';
import { runPlatformatic } from './clients/platformatic.ts';
import { runTools } from './clients/tools.ts';
import { coverageTable } from './coverage.ts';
import { decodeResponse, EXCHANGES_PATH, type Exchange, readExchanges } from './exchanges.ts';
import { RecordingProxy, type SeenExchange } from './recording-proxy.ts';

const JAVA_SOURCES = join(import.meta.dirname, '../clients/java/src/millrace');
const FRANZ = ['codecs', 'offsets', 'classic-group', 'static-member', 'consumer-group', 'share-group'].concat(
  ['transactions', 'transaction-copy', 'admin', 'security'],
);
const SARAMA = ['codecs', 'group', 'transactions', 'admin'];
/** Without big messages. */
const LIBRDKAFKA = ['codecs', 'offsets', 'groups', 'transactions', 'transaction-copy', 'admin'].map(
  (scenario) => `librdkafka-${scenario}`,
);
/** Most of their time is waiting. */
const FAMILIES_AT_ONCE = '4';
const PROGRAM_DEADLINE_MS = 240_000;
/** As Kafka names itself where it is its own client, for the markers of transactions. */
const KAFKA_ITSELF = /^(broker-\d+-txn-marker-sender|AddPartitionsManager-client-\d+)$/;

const java = prepareJava();
const go = buildGoClients();
const missing = [typeof java === 'string' ? java : undefined, go.problem, librdkafkaProblem()].filter(
  Boolean,
);
if (typeof java === 'string' || go.problem !== undefined || missing.length > 0) {
  throw new Error(`cannot capture:\n${missing.join('\n')}`);
}

const exchanges = new ChosenExchanges();
const batches = new ChosenBatches();
const attempts = new Attempts();
const proxies = [await RecordingProxy.listen(record), await RecordingProxy.listen(record)] as const;
const [plain, sasl] = proxies;
const kafka = await startRealKafka(java, { advertisedPorts: { plain: plain.port, sasl: sasl.port } });
plain.forwardTo(portOf(kafka.bootstrap));
sasl.forwardTo(portOf(kafka.saslBootstrap!));
const bootstrap = `localhost:${plain.port}`;
const saslBootstrap = `localhost:${sasl.port}`;

const runs: Readonly<Record<string, () => Promise<unknown>>> = {
  kafkajs: () => runKafkajs(bootstrap, saslBootstrap, attempts),
  platformatic: () => runPlatformatic(bootstrap, saslBootstrap, attempts),
  tools: () => runTools(java, bootstrap),
  'java-4.4': () => runFamilies('clients-4.4'),
  'java-3.9': () => runFamilies('clients-3.9'),
  'franz-go': () => runGo('franz', FRANZ),
  sarama: () => runGo('sarama', SARAMA),
  librdkafka: () => runProgram(PYTHON, [LIBRDKAFKA_PROGRAM, bootstrap, ...LIBRDKAFKA], PROGRAM_DEADLINE_MS),
};
const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(runs);
for (const client of wanted) {
  const run = runs[client];
  if (!run) throw new Error(`cannot capture ${client}: want one of ${Object.keys(runs).join(', ')}`);
  for (const proxy of proxies) proxy.client = client;
  const started = Date.now();
  await attempts.try(client, run, 2 * PROGRAM_DEADLINE_MS);
  console.log(`${client}: ${Date.now() - started} ms`);
}
await kafka.stop();
for (const proxy of proxies) proxy.close();
store();
process.exit(0);

function record(seen: SeenExchange): void {
  const client = clientOf(seen);
  const decoded = exchanges.add({ ...seen, client });
  if (decoded?.api.name === 'Produce') batches.addProduce(decoded.body as RequestOf<typeof produce>);
  if (decoded?.api.name === 'Fetch') {
    const { body } = decodeResponse(decoded, seen.response);
    batches.addFetch(client, body as ResponseOf<typeof fetch>);
  }
}

function clientOf({ client, request }: SeenExchange): string {
  const length = request.readInt16BE(8);
  const clientId = length > 0 ? request.toString('utf8', 10, 10 + length) : '';
  return KAFKA_ITSELF.test(clientId) ? 'kafka' : client;
}

async function runGo(library: string, scenarios: readonly string[]): Promise<void> {
  for (const scenario of scenarios) {
    await attempts.try(
      `${library} ${scenario}`,
      async () => {
        const output = await runProgram(
          go.binary!,
          [bootstrap, `${library}-${scenario}`],
          PROGRAM_DEADLINE_MS,
        );
        const error = /"step":"error".*/.exec(output);
        if (error) throw new Error(error[0]);
      },
      PROGRAM_DEADLINE_MS,
    );
  }
}

/** Every family there is; share groups are not in the clients of 3.9. */
async function runFamilies(classPath: ClassPath & `clients-${string}`): Promise<void> {
  if (typeof java === 'string') return;
  const families = readdirSync(JAVA_SOURCES)
    .filter((file) => readFileSync(join(JAVA_SOURCES, file), 'utf8').includes('implements Family'))
    .map((file) => file.replace('.java', ''))
    .filter((family) => classPath !== 'clients-3.9' || family !== 'Shares');
  const args = [bootstrap, saslBootstrap, classPath.replaceAll('.', '-'), FAMILIES_AT_ONCE, ...families];
  const { code, stderr } = await java.run(classPath, 'millrace.Run', args, PROGRAM_DEADLINE_MS);
  if (code !== 0) throw new Error(`ended with code ${code}: ${stderr.slice(-500)}`);
}

function store(): void {
  const seen = exchanges.all();
  const kept = existsSync(EXCHANGES_PATH) ? readExchanges() : [];
  const all = [...seen, ...kept.filter((one) => !seen.some((other) => sameCase(one, other)))]
    .filter(({ client }) => client === 'kafka' || client in runs)
    .toSorted((a, b) => compare(a.api, b.api) || a.version - b.version || compare(a.client, b.client));
  const before = existsSync(BATCHES_PATH) ? readGoldenBatches() : [];
  const fresh = batches.all();
  const stored = [
    ...fresh,
    ...before.filter((one) => !fresh.some((other) => sameBatch(one, other))),
  ].toSorted((a, b) => compare(a.kind, b.kind) || compare(a.client, b.client));
  writeFileSync(EXCHANGES_PATH, lines(all));
  writeFileSync(BATCHES_PATH, lines(stored));
  console.log(coverageTable(all));
  console.log(`${all.length} exchanges, ${stored.length} batches`);
  for (const name of exchanges.tooLong) console.log(`too long: ${name}`);
  for (const [reason, count] of exchanges.unread) console.log(`not read, ${count} times: ${reason}`);
  for (const failed of attempts.failed) console.log(`failed: ${failed}`);
}

function sameCase(a: Exchange, b: Exchange): boolean {
  return a.client === b.client && a.api === b.api && a.version === b.version;
}

function sameBatch(a: GoldenBatch, b: GoldenBatch): boolean {
  return a.client === b.client && a.kind === b.kind;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function lines(values: readonly unknown[]): string {
  return `[\n${values.map((one) => JSON.stringify(one)).join(',\n')}\n]\n`;
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}
