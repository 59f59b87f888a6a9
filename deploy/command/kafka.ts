/** A Kafka client for the commands that look at one: an address given, or that of the settings. */
import { openKafka } from '../../broker/client/kafkajs.ts';
import { nodeHost } from '../../broker/host/node-host.ts';
import type { KafkaClient } from '../../broker/client/port.ts';
import { ExpectedError } from '../expected-error.ts';
import { seams } from '../parts/plan.ts';
import { type SettingsArgs, settingsOf } from './options.ts';

export const kafkaArgs = {
  kafka: {
    type: 'string',
    description: 'Kafka brokers (default: those of the settings)',
    valueHint: 'HOST:PORT,…',
  },
  all: { type: 'boolean', description: 'Internal topics too' },
} as const;

export async function withKafka(
  given: SettingsArgs & { kafka?: string | undefined },
  use: (kafka: KafkaClient) => Promise<void>,
): Promise<void> {
  const loaded = await settingsOf(given);
  const brokers = given.kafka?.split(',') ?? seams(loaded).brokers;
  const options = { ...loaded.settings.kafka, brokers, clientId: 'millrace-cli' };
  const kafka = await openKafka(options, nodeHost()).catch((error: unknown) => {
    throw new ExpectedError((error as Error).message);
  });
  try {
    await use(kafka);
  } catch (error) {
    throw new ExpectedError(`cannot ask Kafka at ${brokers.join(',')}: ${(error as Error).message}`);
  } finally {
    await kafka.close();
  }
}
