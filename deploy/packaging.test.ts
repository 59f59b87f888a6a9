// Packaging cannot be run here without a container engine or systemd: its files are checked for what they say.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';
import { parse } from 'yaml';

import { check, settingsSchema } from './config/settings.ts';
import { environmentSource, fileSource, mergeSources } from './config/source.ts';
import { PART_NAMES, type PartName } from './parts/names.ts';
import { planPart } from './parts/plan.ts';

const root = join(import.meta.dirname, '..');

interface Service {
  image?: string;
  command?: string[];
  environment?: Record<string, string>;
  ports?: string[];
  depends_on?: Record<string, unknown> | string[];
  volumes?: string[];
}

const compose = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};

const sections = new Set(Object.keys(settingsSchema.shape));

async function accepted(name: PartName, environment: NodeJS.ProcessEnv): Promise<unknown> {
  const source = environmentSource(environment, sections);
  const settings = check(settingsSchema, source.values, source, []);
  return (await planPart(name, { settings, source })).config;
}

test('every service of ours in the Compose file is a part whose settings are accepted', async () => {
  const ours = Object.entries(compose.services).filter(([, service]) =>
    service.image?.startsWith('millrace'),
  );
  expect(ours.map(([name]) => name).sort()).toEqual(['alerts', 'collector', 'sink', 'web']);
  for (const [, { command, environment }] of ours) {
    const [part] = command!;
    expect(PART_NAMES).toContain(part);
    const withPassword = Object.fromEntries(
      Object.entries(environment!).map(([key, value]) => [key, value.replaceAll(/\$\{\w+:-(\w+)\}/g, '$1')]),
    );
    expect(await accepted(part as PartName, withPassword)).toMatchObject({});
    if (part !== 'collector') continue;
    expect(await accepted('collector', withPassword)).toMatchObject({ kafka: { brokers: ['kafka:9092'] } });
  }
});

test('the Compose file publishes on loopback only, and refers only to what it defines', () => {
  for (const service of Object.values(compose.services)) {
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    const dependencies = Array.isArray(service.depends_on)
      ? service.depends_on
      : Object.keys(service.depends_on ?? {});
    for (const dependency of dependencies) expect(compose.services).toHaveProperty(dependency);
    const named = (service.volumes ?? []).map((volume) => volume.split(':')[0]!);
    for (const volume of named.filter((one) => !one.startsWith('.')))
      expect(compose.volumes).toHaveProperty(volume);
  }
});

test('the example settings are accepted by every part', async () => {
  const source = mergeSources([await fileSource(join(root, 'deploy/examples/millrace.yaml'), {})]);
  const settings = check(settingsSchema, source.values, source, []);
  for (const name of PART_NAMES) expect((await planPart(name, { settings, source })).name).toBe(name);
});

test('the systemd units start commands that exist and leave time to drain', () => {
  for (const [unit, command] of [
    ['millrace.service', 'up'],
    ['millrace-agent.service', 'agent'],
  ] as const) {
    const text = readFileSync(join(root, 'deploy/systemd', unit), 'utf8');
    expect(text).toMatch(new RegExp(`^ExecStart=.*millrace\\.js ${command} --config `, 'm'));
    const [, seconds] = /^TimeoutStopSec=(\d+)$/m.exec(text)!;
    expect(Number(seconds)).toBeGreaterThan(10);
  }
});
