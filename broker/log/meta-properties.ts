import { replaceFile } from '../host/files.ts';
import type { Host } from '../host/host.ts';

const NAME = 'meta.properties';
const CLEAN = 'clean-shutdown';

/** Says whose directory it is, in the form that Kafka's tools know. Made at the first start; returns the cluster id. */
export async function clusterIdOf(host: Host, directory: string): Promise<string> {
  const bytes = await host.files.readFile(`${directory}/${NAME}`);
  if (bytes) {
    const lines = bytes.toString('utf8').split('\n');
    const properties = new Map(lines.map((line) => [line.split('=')[0]!, line.slice(line.indexOf('=') + 1)]));
    const version = properties.get('version');
    const clusterId = properties.get('cluster.id');
    if (version !== '1' || !clusterId) {
      throw new Error(
        `cannot open log: got version ${version ?? 'none'} in ${directory}/${NAME}, want 1 and a cluster.id`,
      );
    }
    return clusterId;
  }
  // Kafka's form of a cluster id: 16 random bytes in URL-safe base64.
  const clusterId = host.random.bytes(16).toString('base64url');
  const content = `version=1\ncluster.id=${clusterId}\nnode.id=1\n`;
  await replaceFile(host.files, `${directory}/${NAME}`, Buffer.from(content));
  return clusterId;
}

/** Whether the last run was closed in order. Recovery does not rely on it; it tells what to expect in the log. */
export async function takeCleanMarker(host: Host, directory: string): Promise<boolean> {
  const clean = (await host.files.stat(`${directory}/${CLEAN}`)) !== undefined;
  if (clean) await host.files.remove(`${directory}/${CLEAN}`);
  return clean;
}

export async function leaveCleanMarker(host: Host, directory: string): Promise<void> {
  await replaceFile(host.files, `${directory}/${CLEAN}`, Buffer.from('clean\n'));
}
