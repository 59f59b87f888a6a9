import { compareOthersWithKafka } from '../java/compare-with-kafka.ts';
import { readObservations } from '../java/observations.ts';
import { runProgram } from '../run-program.ts';
import { LIBRDKAFKA_PROGRAM, librdkafkaProblem, PYTHON } from './librdkafka.ts';

const DEADLINE_MS = 300_000;

compareOthersWithKafka(
  'librdkafka',
  ['librdkafka'],
  librdkafkaProblem(),
  async (_, { bootstrap, saslBootstrap }) => {
    return readObservations(
      await runProgram(PYTHON, [LIBRDKAFKA_PROGRAM, bootstrap, saslBootstrap!], DEADLINE_MS),
    );
  },
);
