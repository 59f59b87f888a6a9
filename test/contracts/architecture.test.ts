import { resolve } from 'node:path';

import { describe, expect, test } from 'vitest';

import { importsOf, objections, sourceFiles } from '../support/import-map.ts';

test('every import goes in the direction of the design', () => {
  const files = sourceFiles(resolve(import.meta.dirname, '../..'));
  expect(files.length).toBeGreaterThan(100);
  expect(objections(files)).toEqual([]);
});

describe('the check finds', () => {
  const cases: Array<{ file: string; source: string; want: string[] }> = [
    {
      file: 'collector/inputs/a.ts',
      source: `import { x } from 'node:fs';\nimport type { Y } from '../../sinks/config.ts';\n`,
      want: ['collector/inputs/a.ts:2: collector may not import sinks (sinks/config.ts)'],
    },
    {
      file: 'sinks/a.ts',
      source: `export { handler } from '../broker/handlers/index.ts';`,
      want: [
        'sinks/a.ts:1: sinks may import only host, records and client of broker (broker/handlers/index.ts)',
      ],
    },
    {
      file: 'broker/log/a.ts',
      source: `const x = await import(\n  '../../deploy/main.ts'\n);`,
      want: ['broker/log/a.ts:1: nothing may import deploy (deploy/main.ts)'],
    },
    {
      file: 'dashboards/a.tsx',
      source: `import {\n  a,\n  b,\n} from '../test/support/eventually.ts';`,
      want: ['dashboards/a.tsx:4: dashboards may not import test (test/support/eventually.ts)'],
    },
    {
      file: 'sinks/a.test.ts',
      source: `import { start } from '../broker/main.ts';\nimport '../broker/server/server.ts';`,
      want: [
        'sinks/a.test.ts:2: sinks may import only host, records and client of broker (broker/server/server.ts)',
      ],
    },
    {
      file: 'sinks/b.ts',
      source: `import '../broker/main.ts';`,
      want: ['sinks/b.ts:1: sinks may import only host, records and client of broker (broker/main.ts)'],
    },
  ];
  for (const { file, source, want } of cases) {
    test(`${want[0]}`, () => expect(objections([{ file, source }])).toEqual(want));
  }
});

describe('the check allows', () => {
  const cases = [
    { file: 'collector/a.ts', source: `import '../broker/records/topics.ts';` },
    { file: 'dashboards/a.ts', source: `import '../sinks/logql/parse.ts';` },
    { file: 'deploy/a.ts', source: `import '../broker/main.ts';` },
    { file: 'broker/a.test.ts', source: `import '../test/support/eventually.ts';` },
    { file: 'test/scenarios/a.test.ts', source: `import '../../broker/groups/group.ts';` },
  ];
  for (const { file, source } of cases) {
    test(`${file}: ${source}`, () => {
      expect(importsOf(file, source)).toHaveLength(1);
      expect(objections([{ file, source }])).toEqual([]);
    });
  }
});
