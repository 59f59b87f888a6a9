/** Key and certificates in files, read again when they change: a renewed certificate needs no restart. */
import type { Cancel, Host } from '../host/host.ts';
import type { TlsMaterial } from '../host/net.ts';
import type { TlsSettings } from '../config.ts';

/** @throws Error that names the file which is missing */
export async function readTlsFiles(host: Host, settings: TlsSettings): Promise<TlsMaterial> {
  const read = async (path: string): Promise<Buffer> => {
    const content = await host.files.readFile(path);
    if (content === undefined) throw new Error(`cannot read ${path}: there is no such file`);
    return content;
  };
  return {
    key: await read(settings.key),
    cert: await read(settings.cert),
    ca: settings.ca === undefined ? undefined : await read(settings.ca),
  };
}

/**
 * Looks at the files every `reloadIntervalMs` and hands over what they hold when one changed. What cannot be used
 * (half of a renewal, a damaged file) is said and counted, and the old stays until the files change once more.
 */
export async function watchTlsFiles(
  host: Host,
  settings: TlsSettings,
  renew: (material: TlsMaterial) => void,
): Promise<Cancel> {
  const reloads = host.metrics.counter(
    'millrace_broker_certificate_reloads_total',
    'Changed keys and certificates of listeners, by whether they could be used.',
  );
  let seen = await fingerprint(host, settings);
  let isLooking = false;
  const look = async (): Promise<void> => {
    // Taken before the files are read: a change in between is seen the next time.
    const now = await fingerprint(host, settings);
    if (now === seen) return;
    seen = now;
    try {
      renew(await readTlsFiles(host, settings));
      reloads.add(1, { outcome: 'used' });
      host.log.info({ cert: settings.cert }, 'certificate renewed');
    } catch (error) {
      reloads.add(1, { outcome: 'refused' });
      host.log.error(
        { cert: settings.cert, err: error },
        'cannot use the new certificate; the old one stays',
      );
    }
  };
  return host.timers.every(settings.reloadIntervalMs, () => {
    if (isLooking) return;
    isLooking = true;
    look()
      .catch((error: unknown) => {
        host.log.error({ cert: settings.cert, err: error }, 'cannot look at the certificate');
      })
      .finally(() => {
        isLooking = false;
      });
  });
}

async function fingerprint({ files }: Host, { key, cert, ca }: TlsSettings): Promise<string> {
  const stats = await Promise.all(
    [key, cert, ...(ca === undefined ? [] : [ca])].map((path) => files.stat(path)),
  );
  return stats.map((stat) => (stat ? `${stat.inode} ${stat.size} ${stat.modifiedMs}` : 'none')).join();
}
