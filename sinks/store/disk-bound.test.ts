import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { nodeHost } from '../../broker/host/node-host.ts';
import { storeConfig } from './config.ts';
import { type Drop, dropsFor, keepDiskBound, type StoredPart } from './disk-bound.ts';
import { openEngine } from './engine.ts';

function part(table: string, partition: string, firstBlock: number, bytes: number): StoredPart {
  const name = `${partition.replaceAll('-', '')}_${firstBlock}_${firstBlock}_0`;
  return { database: 'otel', table, partition, name, firstBlock, rows: bytes * 10, bytes };
}

function shown(drops: Drop[]): string[] {
  return drops.map(({ table, what, bytes }) => `${table} ${Object.values(what)[0]} ${bytes}`);
}

test('the oldest days go first over all tables, until the rest is within the bound', () => {
  const parts = [
    part('logs', '2026-11-20', 1, 40),
    part('logs', '2026-11-20', 2, 10),
    part('sum', '2026-11-19', 1, 5),
    part('logs', '2026-11-21', 3, 30),
    part('logs', '2026-11-22', 4, 20),
  ];
  expect(shown(dropsFor(parts, 105, '2026-11-22'))).toEqual([]);
  expect(shown(dropsFor(parts, 100, '2026-11-22'))).toEqual(['sum 2026-11-19 5']);
  expect(shown(dropsFor(parts, 99, '2026-11-22'))).toEqual(['sum 2026-11-19 5', 'logs 2026-11-20 50']);
});

test('of the current day only the oldest parts go', () => {
  const parts = [3, 1, 2].map((block) => part('logs', '2026-11-22', block, 10));
  expect(shown(dropsFor(parts, 15, '2026-11-22'))).toEqual([
    'logs 20261122_1_1_0 10',
    'logs 20261122_2_2_0 10',
  ]);
});

test('in the engine: days and parts are gone, the rest is there, and it is counted', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-disk-bound-'));
  const engine = await openEngine(join(directory, 'engine'), storeConfig.parse({ dataDir: directory }));
  const host = nodeHost();
  const connection = engine.connect();
  const ask = async (sql: string): Promise<string> =>
    Buffer.from((await connection.run(sql, 'TabSeparated')).bytes)
      .toString()
      .trim();
  try {
    await ask('CREATE DATABASE otel');
    await ask(`CREATE TABLE otel.logs (day Date, body String CODEC(NONE)) ENGINE = MergeTree
      PARTITION BY day ORDER BY tuple()`);
    await ask('SYSTEM STOP MERGES otel.logs');
    for (const age of [2, 1, 0, 0]) {
      await ask(
        `INSERT INTO otel.logs SELECT toDate(now('UTC')) - ${age}, randomString(1000) FROM numbers(1000)`,
      );
    }
    const bound = keepDiskBound(engine, { diskBytesMax: 1_500_000, diskCheckMs: 3_600_000 }, host);
    await bound.check();
    bound.stop();
    expect(await ask(`SELECT toDate(now('UTC')) - day, count() FROM otel.logs GROUP BY day`)).toBe('0\t1000');
    const counted = host.metrics.snapshot().find(({ name }) => name === 'millrace_store_dropped_rows_total');
    expect(counted?.series).toEqual([{ labels: { table: 'logs' }, value: 3000 }]);
  } finally {
    connection.close();
    await engine.close();
    await rm(directory, { recursive: true, force: true });
  }
});
