/** A peer whose machine vanished is found by the system's probes, which begin after this time without a byte. */
const KEEPALIVE_AFTER_MS = 60_000;

/** What every socket that is listened for has. */
export const SOCKET_OPTIONS = {
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: KEEPALIVE_AFTER_MS,
} as const;
