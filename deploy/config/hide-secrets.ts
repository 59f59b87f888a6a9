/** For `JSON.stringify`: settings as they may be shown. */
export function hideSecrets(key: string, value: unknown): unknown {
  if (key === 'plainUsers' && typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.keys(value).map((name) => [name, HIDDEN]));
  }
  // A file's name gives nothing away, and helps to find it.
  const isSecret = /password|secret$|token/i.test(key) && !key.endsWith('File');
  return isSecret && typeof value === 'string' && value !== '' ? HIDDEN : value;
}

const HIDDEN = '***';
