import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { RULES, START, turns, World } from '../../test/support/alert-world.ts';
import { seededRandom } from '../../test/support/seeded-random.ts';
import { alertsView } from './view.ts';

// More for a long run: MILLRACE_ALERT_RUNS=1000 npx vitest run sinks/alerts/restart.test.ts
const RUNS = Number(process.env['MILLRACE_ALERT_RUNS'] ?? 15);

/** Text that gzip makes no shorter than two thirds, the same in every run. */
function incompressible(seed: number, length: number): string {
  const random = seededRandom(seed);
  return Array.from({ length }, () => String.fromCharCode(33 + Math.floor(random() * 90))).join('');
}

/** Three errors, then silence for two minutes. The process is started again after it died. */
async function story(world: World): Promise<void> {
  await world.launch();
  const relaunch = async (): Promise<void> => {
    if (!world.alive.dead) return;
    world.dieAt = Infinity;
    await world.launch();
  };
  for (let second = 1; second <= 3; second += 1) {
    await world.pass(1_000);
    await relaunch();
    world.log('boom', 'shop', second % 2);
  }
  for (let slice = 0; slice < 30; slice += 1) {
    await world.pass(5_000);
    await relaunch();
  }
}

describe('an alert whose process is killed', () => {
  test('fires once and resolves once, wherever that happens; only a send of unknown outcome repeats', async () => {
    const undisturbed = new World();
    await story(undisturbed);
    const steps = undisturbed.steps;
    expect(undisturbed.received.map(({ status }) => status)).toEqual(['firing', 'resolved']);
    expect(undisturbed.received[0]!.atMs).toBe(START + 3_000);
    expect(steps).toBeGreaterThan(15);
    const places = new Set<string>();
    let repeats = 0;
    for (let dieAt = 1; dieAt <= steps; dieAt += 1) {
      const world = new World();
      world.dieAt = dieAt;
      await story(world);
      places.add(world.died);
      const told = world.received.map(({ status, id }) => `${status} ${id}`);
      const distinct = [...new Set(told)];
      const at = `killed at step ${dieAt}, ${world.died}`;
      const repeated = world.received.filter(({ id }, index) =>
        world.received.slice(0, index).some((before) => before.id === id),
      );
      expect({
        at,
        told: distinct.map((one) => one.split(' ')[0]),
        repeatsExplained:
          repeated.length <= world.unknown.size && repeated.every(({ id }) => world.unknown.has(id)),
      }).toEqual({ at, told: ['firing', 'resolved'], repeatsExplained: true });
      repeats += repeated.length;
    }
    // The test would prove little if no send had ever been of unknown outcome.
    expect(repeats).toBeGreaterThan(0);
    expect(places).toEqual(
      new Set([
        'before a send',
        'after a send',
        'before a post',
        'after a post',
        'before a batch',
        'after a batch',
      ]),
    );
  }, 600_000);

  test('tells the same as an undisturbed one, over several kills and two services', async () => {
    const logs = fc.array(
      fc.record({
        gapMs: fc.integer({ min: 1, max: 20_000 }),
        service: fc.constantFrom('a', 'b'),
        partition: fc.nat(1),
      }),
      { minLength: 10, maxLength: 40 },
    );
    await fc.assert(
      fc.asyncProperty(
        logs,
        fc.array(fc.integer({ min: 1, max: 25 }), { maxLength: 4 }),
        async (all, kills) => {
          const told = async (deaths: readonly number[]): Promise<World> => {
            const world = new World();
            const left = [...deaths];
            const survive = async (): Promise<void> => {
              if (!world.alive.dead) return;
              const next = left.shift();
              world.dieAt = next === undefined ? Infinity : world.steps + next;
              await world.launch();
            };
            world.alive.dead = true;
            await survive();
            for (const { gapMs, service, partition } of all) {
              await world.pass(gapMs);
              await survive();
              world.log('boom', service, partition);
            }
            for (let slice = 0; slice < 30; slice += 1) {
              await world.pass(5_000);
              await survive();
            }
            return world;
          };
          const news = ({ received }: World, service: string): string[] => {
            const distinct = new Map<string, string>();
            for (const { id, status, labels } of received) {
              if (labels['service_name'] === service) distinct.set(id, status);
            }
            return [...distinct.values()];
          };
          const [undisturbed, killed] = [await told([]), await told(kills)];
          for (const service of ['a', 'b']) expect(news(killed, service)).toEqual(news(undisturbed, service));
          const counts = new Map<string, number>();
          for (const { id } of killed.received) counts.set(id, (counts.get(id) ?? 0) + 1);
          expect([...counts].filter(([id, count]) => count > 1 && !killed.unknown.has(id))).toEqual([]);
        },
      ),
      { numRuns: RUNS, endOnFailure: true },
    );
  }, 600_000);

  test('loses nothing either when its state was too large for one batch and only some of it was stored', async () => {
    const services = Array.from({ length: 150 }, (_one, index) => `${index} ${incompressible(index, 9_000)}`);
    const story = async (dieAt: number): Promise<World> => {
      const world = new World();
      await world.launch();
      world.dieAt = world.steps + dieAt;
      for (const service of services) for (let count = 0; count < 3; count += 1) world.log('boom', service);
      await world.pass(1_000);
      if (world.alive.dead) {
        world.dieAt = Infinity;
        await world.launch();
      }
      for (let slice = 0; slice < 20; slice += 1) await world.pass(5_000);
      return world;
    };
    const undisturbed = await story(Infinity);
    expect(undisturbed.sends.slice(0, 4).filter((bytes) => bytes > 500_000).length).toBeGreaterThan(1);
    const places: string[] = [];
    for (const dieAt of [3, 4, 5]) {
      const world = await story(dieAt);
      places.push(world.died);
      const told = (status: string): string[] =>
        world.received
          .filter((one) => one.status === status)
          .map(({ labels }) => labels['service_name']!.split(' ')[0]!)
          .sort();
      const each = services.map((service) => service.split(' ')[0]!).sort();
      expect({ dieAt, firing: told('firing'), resolved: told('resolved') }).toEqual({
        dieAt,
        firing: each,
        resolved: each,
      });
    }
    expect(places.filter((place) => place === 'after a send').length).toBeGreaterThan(1);
  }, 60_000);

  test('is told of what happened while nobody ran', async () => {
    const world = new World();
    await world.launch();
    await world.pass(1_000);
    world.kill();
    [1, 2, 3].forEach((at) => world.log('boom', 'shop', at % 2));
    await world.pass(300_000);
    await world.launch();
    await world.pass(10_000);
    expect(world.received.map(({ status }) => status)).toEqual(['firing', 'resolved']);
  });
});

describe('the runtime', () => {
  test('lets others have a turn within a batch that takes long, and tells what fired by then', async () => {
    const world = new World();
    for (let count = 0; count < 100; count += 1) world.log(count < 3 ? 'boom' : 'quiet');
    world.workMs = 5;
    let toldAfter = 0;
    const runtime = await world.launch();
    const position = (): number => runtime.engine.position.get(0) ?? 0;
    while (position() < 100) {
      if (world.received.length === 0) toldAfter = position();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(world.pauses).toBeGreaterThan(20);
    expect(world.received).toHaveLength(1);
    expect(toldAfter).toBeLessThan(50);
  });

  test('a stop within a long batch leaves the rest to the next start', async () => {
    const world = new World();
    for (let count = 0; count < 100; count += 1) world.log(count % 40 === 0 ? 'boom' : 'quiet');
    world.workMs = 15;
    const runtime = await world.launch();
    while ((runtime.engine.position.get(0) ?? 0) < 10) await new Promise((resolve) => setImmediate(resolve));
    await runtime.stop();
    const [partition, offset] = world.state().position!.offsets[0]!;
    expect(partition).toBe(0);
    expect(offset).toBeGreaterThan(0);
    expect(offset).toBeLessThan(100);
    world.workMs = 0;
    await world.launch();
    await world.pass(1_000);
    expect(world.received.map(({ status }) => status)).toEqual(['firing']);
  });

  test('shows rules, alerts and timings through the topic', async () => {
    const world = new World();
    await world.launch();
    for (let count = 0; count < 3; count += 1) world.log('boom');
    await world.pass(2_000);
    const view = alertsView(world.kafka({ dead: false }), world.host({ dead: false }));
    await turns();
    expect(view.isReady()).toBe(true);
    const [group] = view.rules().groups;
    expect(group).toMatchObject({ name: 'g', file: '/rules/a.yaml', interval: 15 });
    expect(group!.rules[0]).toMatchObject({ name: 'Errors', state: 'firing', type: 'alerting' });
    expect(view.alerts().alerts).toEqual([
      {
        labels: { alertname: 'Errors', service_name: 'shop', severity: 'page' },
        annotations: { summary: 'shop has 3', samples: 'boom\nboom\nboom' },
        state: 'firing',
        activeAt: '2023-11-14T22:13:30.000Z',
        value: '3',
      },
    ]);
    const [notification] = view.notifications();
    expect(notification!.timings).toEqual({
      eventMs: START,
      appendMs: START,
      evalMs: START,
      notifyMs: START,
    });
    expect(Object.values(notification!.deliveries)).toEqual([
      { outcome: 'delivered', attempts: 1, atMs: START },
    ]);
    await view.close();
  });

  test('repeats a refused send with the same id, and gives up what the receiver will never want', async () => {
    const world = new World();
    world.answers = [503, 429];
    await world.launch();
    for (let count = 0; count < 3; count += 1) world.log('boom');
    await world.pass(10_000);
    expect(world.received.map(({ status }) => status)).toEqual(['firing']);
    world.answers = [400];
    await world.pass(100_000);
    expect(world.received.map(({ status }) => status)).toEqual(['firing']);
    const outcomes = [...world.state().notifications.values()].map(
      ({ deliveries }) => Object.values(deliveries)[0],
    );
    expect(outcomes).toMatchObject([
      { outcome: 'delivered', attempts: 3 },
      { outcome: 'rejected', attempts: 1, lastError: 'got status 400, want 2xx' },
    ]);
  });

  test('keeps the rules of a file that turned bad, says so, and takes the repaired one', async () => {
    const world = new World();
    const runtime = await world.launch();
    world.rules.set('/rules/a.yaml', RULES.replace('expr', 'exprr'));
    await world.pass(11_000);
    expect(runtime.engine.rules.size).toBe(1);
    expect([...world.state().files.values()][0]!.problems[0]).toMatchObject({ line: 5, column: 9 });
    world.rules.set('/rules/a.yaml', RULES.replace('> 2', '> 1'));
    await world.pass(11_000);
    expect(world.state().files.size).toBe(0);
    world.log('boom');
    world.log('boom');
    await world.pass(1_000);
    expect(world.received.map(({ status }) => status)).toEqual(['firing']);
  });

  test('resolves the alerts of a rule that was removed while it was down', async () => {
    const world = new World();
    const runtime = await world.launch();
    for (let count = 0; count < 3; count += 1) world.log('boom');
    await world.pass(2_000);
    await runtime.stop();
    world.rules.set('/rules/a.yaml', 'groups: []');
    await world.launch();
    await world.pass(2_000);
    expect(world.received.map(({ status }) => status)).toEqual(['firing', 'resolved']);
    expect(world.state().alerts.size).toBe(0);
  });

  test('wakes nobody at a first start for what is long over', async () => {
    const world = new World();
    for (let count = 0; count < 3; count += 1) world.log('boom', 'old');
    await world.pass(3_600_000);
    for (let count = 0; count < 3; count += 1) world.log('boom', 'new');
    await world.launch();
    await world.pass(1_000);
    expect(world.received.map(({ labels }) => labels['service_name'])).toEqual(['new']);
  });
});
