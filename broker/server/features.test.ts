import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { nodeFiles } from '../host/node-files.ts';
import { type Feature, openFeatures, UPGRADE_TYPE } from './features.ts';

const ALL: readonly Feature[] = [
  { name: 'metadata.version', min: 7, max: 33, initial: 33 },
  { name: 'group.version', min: 0, max: 1, initial: 1, needsMetadata: 22 },
  { name: 'streams.version', min: 0, max: 0, initial: 0 },
];
const { upgrade, safeDowngrade, unsafeDowngrade } = UPGRADE_TYPE;

let dataDir: string;
beforeEach(async () => {
  dataDir = await fs.mkdtemp(join(tmpdir(), 'millrace-features-'));
});
afterEach(() => fs.rm(dataDir, { recursive: true, force: true }));
const open = (all = ALL) => openFeatures(nodeFiles, dataDir, all);

test('a feature that is not served is neither supported nor finalized', async () => {
  const features = await open();
  expect(features.supported().map(({ name }) => name)).toEqual(['metadata.version', 'group.version']);
  expect(features.finalized()).toEqual([
    { name: 'metadata.version', level: 33 },
    { name: 'group.version', level: 1 },
  ]);
  expect(features.level('streams.version')).toBe(0);
});

test('a level that was set holds after a restart, under a higher epoch', async () => {
  const features = await open();
  const off = { name: 'group.version', level: 0, upgradeType: safeDowngrade };
  expect(await features.update([off], false)).toBeUndefined();
  const again = await open();
  expect(again.epoch).toBe(features.epoch);
  expect(again.epoch).toBe(1);
  expect(again.level('group.version')).toBe(0);
  expect(again.finalized()).toEqual([{ name: 'metadata.version', level: 33 }]);
});

test('validate only, or a level that holds already, changes nothing', async () => {
  const features = await open();
  expect(await features.update([{ name: 'group.version', level: 0, upgradeType: 2 }], true)).toBeUndefined();
  expect(await features.update([{ name: 'group.version', level: 1, upgradeType: 1 }], false)).toBeUndefined();
  expect(features.epoch).toBe(0);
  expect(features.level('group.version')).toBe(1);
});

test('a level above what this version of the broker supports is cut to it', async () => {
  const wide = await open([{ name: 'group.version', min: 0, max: 9, initial: 9 }]);
  await wide.update([{ name: 'group.version', level: 8, upgradeType: safeDowngrade }], false);
  expect((await open()).level('group.version')).toBe(1);
});

const refused: Array<{ what: string; update: Parameters<typeof update>[0]; want: RegExp }> = [
  { what: 'a name that is not supported', update: ['x.version', 1, upgrade], want: /does not support/ },
  { what: 'a feature that is not served', update: ['streams.version', 1, upgrade], want: /does not support/ },
  { what: 'a level out of range', update: ['group.version', 2, upgrade], want: /got level 2, want 0 to 1/ },
  { what: 'a negative level', update: ['group.version', -1, unsafeDowngrade], want: /got level -1/ },
  { what: 'a downgrade not asked for as one', update: ['group.version', 0, upgrade], want: /want a safe/ },
  { what: 'an unknown upgrade type', update: ['group.version', 0, 0], want: /got upgrade type 0/ },
  {
    what: 'a metadata.version below what another feature needs',
    update: ['metadata.version', 21, unsafeDowngrade],
    want: /got metadata.version 21, want 22 for group.version/,
  },
];
function update([name, level, upgradeType]: [name: string, level: number, upgradeType: number]) {
  return { name, level, upgradeType };
}
for (const { what, update: one, want } of refused) {
  test(`refuses ${what}, and with it the whole request`, async () => {
    const features = await open();
    const fine = { name: 'metadata.version', level: 30, upgradeType: safeDowngrade };
    expect(await features.update([fine, update(one)], false)).toMatch(want);
    expect(features.epoch).toBe(0);
    expect(features.level('metadata.version')).toBe(33);
  });
}

test('an upgrade asked for as a downgrade is refused', async () => {
  const features = await open();
  await features.update([{ name: 'group.version', level: 0, upgradeType: safeDowngrade }], false);
  const up = { name: 'group.version', level: 1, upgradeType: safeDowngrade };
  expect(await features.update([up], false)).toMatch(/got level 1 above 0 as a downgrade/);
  expect(await features.update([{ ...up, upgradeType: upgrade }], false)).toBeUndefined();
  expect(features.level('group.version')).toBe(1);
});
