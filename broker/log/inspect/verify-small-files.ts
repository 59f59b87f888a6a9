import { readChecked } from '../durable/checked-file.ts';
import { CLEAN_NAME, META_NAME, parseMeta } from '../durable/meta-properties.ts';
import type { DataDirectory } from './data-directory.ts';
import type { Report } from './finding.ts';

const STOPS = 'the start is refused until the file is restored from a backup';

/** What damage of a checked file costs; of others that are found, the start is refused. */
const CONSEQUENCES: Readonly<Record<string, string>> = {
  'checkpoint.json':
    'every segment is read and checked instead, and what is behind a damaged batch in a segment is cut off; ' +
    'records that DeleteRecords took away and that still stand in a segment come back',
  'producer-ids.json': `${STOPS}: an id given twice would drop records as repeats`,
};

/** Files at the top of the directory. `reserveBytes`: what the reserve has when it is whole. */
export async function verifySmallFiles(
  directory: DataDirectory,
  reserveBytes: number,
  report: Report,
): Promise<void> {
  const { files, path, isClean } = directory;
  await verifyMeta(directory, report);
  for (const name of await files.list(path)) {
    const stat = await files.stat(`${path}/${name}`);
    if (!stat || stat.isDirectory) continue;
    if (name.endsWith('.json')) {
      report.files += 1;
      report.read(stat.size);
      const read = await readChecked(files, `${path}/${name}`).catch(() => ({ state: 'damaged' }) as const);
      if (read.state !== 'damaged') continue;
      const isCopy = await hasIntactTwin(directory, name);
      report.add({
        severity: isCopy ? 'rebuilt' : 'damage',
        file: name,
        position: 0,
        bytes: stat.size,
        problem: 'got content that does not fit the CRC32C in its first line',
        consequence: isCopy
          ? 'the other copy is used; a change that only this one had was never answered'
          : (CONSEQUENCES[name] ?? STOPS),
      });
    } else if (name.endsWith('.tmp')) {
      if (!isClean) continue;
      const problem = 'got a file that was never put in place';
      report.add({
        severity: 'note',
        file: name,
        problem,
        consequence: 'is written over when its turn comes',
      });
    } else if (name === CLEAN_NAME) {
      report.files += 1;
      const content = await files.readFile(`${path}/${name}`);
      if (content?.toString('latin1') === 'clean\n') continue;
      const problem = 'got content other than "clean"';
      report.add({ severity: 'note', file: name, problem, consequence: 'counts by being there' });
    } else if (name === 'reserve') {
      report.files += 1;
      if (stat.size === reserveBytes) continue;
      report.add({
        severity: 'note',
        file: name,
        problem: `got ${stat.size} bytes, want ${reserveBytes}`,
        consequence: 'is made again when there is room',
      });
    } else if (name !== META_NAME && name !== 'lock') {
      const problem = 'got a file that is none of the broker';
      report.add({ severity: 'note', file: name, problem, consequence: 'is left alone' });
    }
  }
  if (directory.checkpoint === undefined && !(await files.stat(`${path}/checkpoint.json`))) {
    const severity = isClean ? 'damage' : 'note';
    const problem = 'got no such file';
    report.add({
      severity,
      file: 'checkpoint.json',
      problem,
      consequence: 'every segment is read and checked',
    });
  }
}

/** Topics and producer ids are kept twice. */
async function hasIntactTwin({ files, path }: DataDirectory, name: string): Promise<boolean> {
  const twin = name.endsWith('.copy.json')
    ? name.replace('.copy.json', '.json')
    : name.replace('.json', '.copy.json');
  return (await readChecked(files, `${path}/${twin}`).catch(() => ({ state: 'damaged' }))).state === 'good';
}

async function verifyMeta({ files, path }: DataDirectory, report: Report): Promise<void> {
  const bytes = await files.readFile(`${path}/${META_NAME}`);
  if (!bytes) {
    report.add({
      severity: 'damage',
      file: META_NAME,
      problem: 'got no such file',
      consequence: 'one with a new cluster id is made: clients that check it refuse the broker',
    });
    return;
  }
  report.files += 1;
  report.read(bytes.length);
  try {
    parseMeta(bytes, META_NAME);
  } catch (error) {
    report.add({
      severity: 'damage',
      file: META_NAME,
      position: 0,
      bytes: bytes.length,
      problem: (error as Error).message.replace('cannot open log: ', ''),
      consequence: 'the start is refused',
    });
  }
}
