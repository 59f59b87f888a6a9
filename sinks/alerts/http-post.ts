/** Sends a request and gives its status; rejects when there is no answer. */
export type HttpPost = (
  url: string,
  request: { readonly headers: Readonly<Record<string, string>>; readonly body: string },
  signal: AbortSignal,
) => Promise<{ readonly status: number }>;

/**
 * POST with JSON. Redirects are not followed: an answer must not choose where alerts go. The answer's body is
 * never read, so that an endless one costs nothing.
 */
export const fetchPost: HttpPost = async (url, { headers, body }, signal) => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'user-agent': 'millrace', ...headers },
    body,
    signal,
    redirect: 'manual',
  });
  await response.body?.cancel();
  return { status: response.status };
};

/**
 * Loads what `fetch` needs, without a connection: the first call of a process takes some 90 ms, twice what it takes
 * after this, and the first alert should not wait for it.
 */
export async function loadPost(): Promise<void> {
  const response = await fetch('data:,', { method: 'POST', body: '{}', redirect: 'manual' });
  await response.body?.cancel();
}
