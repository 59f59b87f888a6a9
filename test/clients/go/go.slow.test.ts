import { compareOthersWithKafka } from '../java/compare-with-kafka.ts';
import { readObservations } from '../java/observations.ts';
import { runProgram } from '../run-program.ts';
import { buildGoClients } from './build.ts';

const DEADLINE_MS = 180_000;

/** A few at a time: they wait more than they work, but each wants an answer within its deadline. */
const ROUNDS = [
  ['franz-codecs', 'franz-big-messages', 'franz-offsets', 'franz-admin', 'franz-security', 'franz-quota'],
  ['franz-classic-group', 'franz-static-member', 'franz-consumer-group', 'franz-share-group'],
  ['franz-transactions', 'franz-transaction-copy', 'franz-compaction'],
  ['franz-sasl', 'franz-access', 'sarama-sasl'],
  ['sarama-codecs', 'sarama-group', 'sarama-transactions', 'sarama-admin'],
];

const { binary, problem } = buildGoClients();

compareOthersWithKafka('Go clients', ['go'], problem, async (_, { bootstrap, saslBootstrap }) => {
  let output = '';
  for (const scenarios of ROUNDS) {
    output += await runProgram(binary!, [bootstrap, saslBootstrap!, ...scenarios], DEADLINE_MS);
  }
  return readObservations(output);
});
