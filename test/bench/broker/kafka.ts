/** Apache Kafka as it is shipped: one node in combined mode, with the settings and the virtual machine of its scripts. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Connection } from '../../../broker/client/connection.ts';
import { nodeHost } from '../../../broker/host/node-host.ts';
import type { Java } from '../../support/java.ts';
import { freePortOffset } from '../../support/millrace.ts';
import { residentMib } from '../process-usage.ts';
import { untilReady, type Workplace } from '../workplace.ts';
import { Side } from './side.ts';

/** Any 16 bytes, as Kafka writes them. */
const CLUSTER_ID = 'MkU3OEVBNTcwNTJENDM2Qg';
/** What `kafka-run-class` gives to every program. */
export const SHIPPED_JVM = [
  '-server',
  '-XX:+UseG1GC',
  '-XX:MaxGCPauseMillis=20',
  '-XX:InitiatingHeapOccupancyPercent=35',
  '-XX:+ExplicitGCInvokesConcurrent',
  '-Djava.awt.headless=true',
  '-Dcom.sun.management.jmxremote',
];
/** And `kafka-server-start` to the broker. */
const SHIPPED_HEAP = ['-Xmx1G', '-Xms1G'];
const LOGGING = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=error'];

/** The shipped `server.properties`, but for the addresses and the directory. */
function serverProperties(port: number, directory: string): string {
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.bootstrap.servers': `localhost:${port + 1}`,
    listeners: `PLAINTEXT://localhost:${port},CONTROLLER://localhost:${port + 1}`,
    'inter.broker.listener.name': 'PLAINTEXT',
    'advertised.listeners': `PLAINTEXT://localhost:${port},CONTROLLER://localhost:${port + 1}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'num.network.threads': 3,
    'num.io.threads': 8,
    'socket.send.buffer.bytes': 102_400,
    'socket.receive.buffer.bytes': 102_400,
    'socket.request.max.bytes': 104_857_600,
    'log.dirs': directory,
    'num.partitions': 1,
    'num.recovery.threads.per.data.dir': 1,
    'offsets.topic.replication.factor': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'log.retention.hours': 168,
    'log.segment.bytes': 1_073_741_824,
    'log.retention.check.interval.ms': 300_000,
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

export async function startKafka(workplace: Workplace, java: Java): Promise<Side> {
  const base = workplace.directory();
  const directory = join(base, 'logs');
  mkdirSync(directory);
  const properties = join(base, 'server.properties');
  const port = 9092 + (await freePortOffset());
  writeFileSync(properties, serverProperties(port, directory));
  const classPath = ['-cp', java.classPath('server')];
  const format = ['format', '--standalone', '-t', CLUSTER_ID, '-c', properties];
  const formatted = spawnSync('java', [...classPath, 'kafka.tools.StorageTool', ...format], {
    encoding: 'utf8',
  });
  if (formatted.status !== 0) throw new Error(`cannot format Kafka's storage:\n${formatted.stderr}`);

  const start = performance.now();
  const jvm = [...SHIPPED_HEAP, ...SHIPPED_JVM, ...LOGGING, ...classPath];
  const running = workplace.program('java', [...jvm, 'kafka.Kafka', properties]);
  const host = nodeHost();
  const open = (): Promise<Connection> => Connection.open(host, { host: 'localhost', port }, 'bench');
  const connection = await untilReady(running, open, { everyMs: 5 });
  return new Side({
    name: 'kafka',
    port,
    directory,
    startSeconds: (performance.now() - start) / 1_000,
    startMib: residentMib(running.pid),
    running,
    connection,
  });
}
