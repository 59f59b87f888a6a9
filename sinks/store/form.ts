import { refuse } from './errors.ts';

/**
 * Fields of a `multipart/form-data` body: `query`, `param_*` and settings, as ClickHouse takes them. Files (parts
 * with a file name) would be external tables, which the embedded engine does not have.
 */
export function parseForm(contentType: string, body: Buffer): Map<string, string> {
  const boundary = /boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType);
  const delimiter = boundary?.[1] ?? boundary?.[2];
  if (!delimiter) throw refuse.badRequest('cannot read the form: got no boundary in Content-Type');
  const fields = new Map<string, string>();
  const parts = `\r\n${body.toString('latin1')}`.split(`\r\n--${delimiter}`);
  for (const part of parts.slice(1, -1)) {
    const split = part.indexOf('\r\n\r\n');
    if (split === -1)
      throw refuse.badRequest('cannot read the form: got a part without an end to its headers');
    const headers = part.slice(0, split);
    const name = /;\s*name="([^"]*)"/i.exec(headers)?.[1];
    if (name === undefined) throw refuse.badRequest('cannot read the form: got a part without a name');
    if (/;\s*filename=/i.test(headers)) {
      throw refuse.absent(
        `the embedded ClickHouse has no external tables: leave out the file ${JSON.stringify(name)}`,
      );
    }
    fields.set(name, Buffer.from(part.slice(split + 4), 'latin1').toString('utf8'));
  }
  return fields;
}
