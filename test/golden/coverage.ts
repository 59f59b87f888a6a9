import { type Exchange, readExchanges } from './exchanges.ts';

/** A table of what was captured, printed by `node test/golden/coverage.ts`: a line for each API, a column for each client, versions in the cells. */
export function coverageTable(exchanges: readonly Exchange[]): string {
  const clients = [...new Set(exchanges.map(({ client }) => client))].toSorted();
  const apis = [...new Set(exchanges.map(({ api }) => api))].toSorted();
  const cell = (api: string, client: string): string =>
    exchanges
      .filter((one) => one.api === api && one.client === client)
      .map(({ version }) => version)
      .toSorted((a, b) => a - b)
      .join(',');
  const rows = [['', ...clients], ...apis.map((api) => [api, ...clients.map((client) => cell(api, client))])];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((text, column) => text.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

if (import.meta.main) console.log(coverageTable(readExchanges()));
