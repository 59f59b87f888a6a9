import { describe, expect, test } from 'vitest';

import { START, World } from '../../test/support/alert-world.ts';

const SECOND = 1_000;

/** What an Alertmanager was told: when, and of which end, in seconds after START; an end in the future is `firing`. */
function told(
  { posts }: World,
  url = 'http://am.test/api/v2/alerts',
): Array<[at: number, ends: number | 'firing']> {
  return posts
    .filter((post) => post.url === url)
    .map(({ body, atMs }) => {
      const [alert] = body as Array<{ endsAt: string }>;
      const endsMs = Date.parse(alert!.endsAt);
      return [(atMs - START) / SECOND, endsMs > atMs ? 'firing' : (endsMs - START) / SECOND];
    });
}

const ALERTMANAGER = { webhooks: [], alertmanagers: ['http://am.test'] };

describe('an Alertmanager', () => {
  test('hears of a firing alert every minute, of its end at once and for five minutes more', async () => {
    const world = new World();
    await world.launch(ALERTMANAGER);
    for (let at = 0; at < 150; at += 1) {
      world.log('boom');
      await world.pass(SECOND);
    }
    await world.pass(20 * 60 * SECOND);
    // The last record is of 149 s; at 210 s the window (150 s, 210 s] is the first with less than three.
    const news = told(world);
    expect(news.slice(0, 4)).toEqual([
      [2, 'firing'],
      [60, 'firing'],
      [120, 'firing'],
      [180, 'firing'],
    ]);
    const ended = news.slice(4);
    expect(new Set(ended.map(([, ends]) => ends))).toEqual(new Set([210]));
    const [first, ...again] = ended.map(([at]) => at);
    // The evaluation at 210 s waits for the allowed lateness and the next look.
    expect(first).toBeGreaterThanOrEqual(213);
    expect(first).toBeLessThanOrEqual(214);
    expect(again).toEqual([240, 300, 360, 420, 480]);
  });

  test('that fails is asked again and keeps no other one waiting', async () => {
    const world = new World();
    await world.launch({ webhooks: [], alertmanagers: ['http://am.test', 'http://other.test'] });
    for (let count = 0; count < 3; count += 1) world.log('boom');
    await world.pass(SECOND);
    world.answers = [500, 200];
    await world.pass(60 * SECOND);
    expect(told(world).map(([at]) => at)).toEqual([0, 60]);
    expect(told(world, 'http://other.test/api/v2/alerts').map(([at]) => at)).toEqual([0, 60]);
  });

  test('hears nothing of what ended while the past is read', async () => {
    const world = new World();
    for (let count = 0; count < 3; count += 1) world.log('boom');
    await world.pass(3_600 * SECOND);
    await world.launch(ALERTMANAGER);
    await world.pass(300 * SECOND);
    expect(told(world)).toEqual([]);
  });
});

describe('when an alert ends', () => {
  test.each([
    { what: 'in silence', others: false },
    { what: 'while others go on logging', others: true },
  ])('$what, the news comes within an interval, the lateness and a look', async ({ others }) => {
    for (const rangeSeconds of [5, 60]) {
      const world = new World();
      const rules = [...world.rules][0]!;
      world.rules.set(rules[0], rules[1].replace('1m', `${rangeSeconds}s`));
      await world.launch();
      for (let count = 0; count < 3; count += 1) world.log('boom');
      for (let at = 0; at < 120; at += 1) {
        if (others) world.log('fine', 'other', at % 2);
        await world.pass(SECOND);
      }
      const [firing, resolved] = world.received;
      expect([firing?.status, firing?.atMs, resolved?.status]).toEqual(['firing', START, 'resolved']);
      const tookMs = resolved!.atMs - START;
      expect(tookMs).toBeGreaterThan(rangeSeconds * SECOND);
      // intervalMs + allowedLatenessMs + probeIntervalMs; records that come every second are a second old.
      expect(tookMs).toBeLessThanOrEqual((rangeSeconds + 15 + 3 + 1 + (others ? 1 : 0)) * SECOND);
    }
  });
});
