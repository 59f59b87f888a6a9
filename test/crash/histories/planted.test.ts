import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { misbehave } from '../../support/misbehave.ts';
import { RawClient } from '../../support/raw-client.ts';
import { makeTopic } from '../../support/requests.ts';
import { startTestBroker, type TestBroker } from '../../support/test-broker.ts';
import { ANOMALIES, type Anomaly } from './anomalies.ts';
import { checkHistory } from './check-history.ts';
import { kafkajsPort } from './kafkajs-port.ts';
import { type Planted, PLANTED } from './planted.ts';
import { tellCopyingStory, tellStory } from './story.ts';

let broker: TestBroker;
let raw: RawClient;
let faults = misbehave();
let topics = 0;

beforeAll(async () => {
  broker = await startTestBroker({}, { intercept: (call, next) => faults.intercept(call, next) });
  raw = await RawClient.connect(broker.port);
});
afterAll(async () => {
  raw?.close();
  await broker?.stop();
});

/** The illegal anomalies of the story, told on a broker with this fault. */
async function found(planted: Pick<Planted, 'copying' | 'plant'>): Promise<Anomaly[]> {
  topics += 1;
  const topic = `story-${topics}`;
  await makeTopic(raw, topic, { partitions: 2 });
  faults = misbehave();
  planted.plant(faults);
  const stage = { port: broker.port, topic, client: kafkajsPort(broker.address, topic) };
  const history = await (planted.copying ? tellCopyingStory(stage) : tellStory(stage));
  const illegal = checkHistory(history).filter(({ legal }) => !legal);
  return [...new Set(illegal.map(({ anomaly }) => anomaly))];
}

describe('a fault of the broker is found in what clients saw', () => {
  for (const planted of PLANTED) {
    test(`${planted.title}: ${planted.finds}`, async () => {
      expect(await found(planted)).toContain(planted.finds);
    });
  }

  test('and nothing where there is none', async () => {
    expect(await found({ plant: () => {} })).toEqual([]);
    expect(await found({ copying: true, plant: () => {} })).toEqual([]);
  });

  test('every anomaly that Kafka does not always allow has its fault', () => {
    const planted = new Set(PLANTED.map(({ finds }) => finds));
    const unplanted = Object.entries(ANOMALIES).filter(([name]) => !planted.has(name as Anomaly));
    expect(unplanted.map(([name, { legal }]) => [name, legal])).toEqual([
      ['G0', 'always'],
      ['G1c-ww', 'always'],
      ['int-send-skip', 'always'],
    ]);
  });
});
