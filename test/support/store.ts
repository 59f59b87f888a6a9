import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type Host } from '../../broker/host/host.ts';
import { nodeHost } from '../../broker/host/node-host.ts';
import { storeConfig, type StoreConfig } from '../../sinks/store/config.ts';
import { writerPassword } from '../../sinks/store/credentials.ts';
import { start } from '../../sinks/store/main.ts';

/** An embedded ClickHouse in this process, for one test file: the engine takes one directory a process. */
export interface TestStore {
  readonly url: string;
  /** Of the user `millrace`, who may write. */
  readonly password: string;
  readonly dataDir: string;
  readonly host: Host;
  close(): Promise<void>;
}

export async function startTestStore(settings: Partial<StoreConfig> = {}): Promise<TestStore> {
  const dataDir = await mkdtemp(join(tmpdir(), 'millrace-store-'));
  const host = nodeHost();
  const part = await start(storeConfig.parse({ dataDir, port: 0, ...settings }), host);
  return {
    url: `http://localhost:${part.addresses['clickhouse']!.port}`,
    password: await writerPassword(dataDir),
    dataDir,
    host,
    async close() {
      await part.stop(5_000);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
