import { compareWithKafka } from './compare-with-kafka.ts';
import { readObservations } from './observations.ts';
import type { ClassPath } from '../../support/java.ts';

const DEADLINE_MS = 240_000;
/** Families run side by side: most of their time is waiting. */
const AT_ONCE = 4;

const BOTH = ['Groups', 'Transactions', 'Security', 'Produce', 'Upkeep', 'AdminRoundTrip'];
const FAMILIES: Readonly<Record<string, readonly string[]>> = {
  'clients-4.4': ['Shares', ...BOTH],
  'clients-3.9': BOTH,
};

compareWithKafka('Java clients', Object.keys(FAMILIES), async (java, client, broker) => {
  const prefix = client.replaceAll('.', '-');
  const only = process.env['MILLRACE_TEST_FAMILIES']?.split(',');
  const families = FAMILIES[client]!.filter((family) => only?.includes(family) ?? true);
  const args = [broker.bootstrap, broker.saslBootstrap ?? '-', prefix, String(AT_ONCE), ...families];
  const { code, stdout, stderr } = await java.run(client as ClassPath, 'millrace.Run', args, DEADLINE_MS);
  if (process.env['MILLRACE_TEST_VERBOSE']) console.log(stderr);
  if (code !== 0) throw new Error(`the clients ended with code ${code}:\n${stderr}`);
  return readObservations(stdout);
});
