import type { Random } from '../host/host.ts';
import type { PartitionLog } from '../log/log.ts';
import { CODE } from '../wire/errors.ts';
import type { AskedPartition } from './asked-partition.ts';
import {
  type FetchSession,
  type Forgotten,
  nextEpoch,
  type SessionPartition,
  type Told,
} from './fetch-session.ts';
import type { SessionCache } from './session-cache.ts';

/**
 * What a request's session id and epoch mean (KIP-227):
 *
 *     id 0, epoch -1     without a session         id n, epoch -1     the session ends
 *     id 0, epoch 0      a new session             id n, epoch 0      it ends, and a new one begins
 *                                                  id n, epoch e > 0  incremental: what changed since epoch e - 1
 */
export interface SessionRequest {
  readonly sessionId: number;
  readonly sessionEpoch: number;
  /** The version names topics by id. */
  readonly byId: boolean;
  readonly asked: readonly AskedPartition[];
  readonly forgotten: readonly Forgotten[];
}

export type FetchContext =
  | { readonly kind: 'refused'; readonly errorCode: number }
  | { readonly kind: 'sessionless' | 'full'; readonly asked: readonly AskedPartition[] }
  | {
      readonly kind: 'incremental';
      readonly asked: readonly AskedPartition[];
      readonly session: FetchSession;
      /** One for each of `asked`. */
      readonly partitions: readonly SessionPartition[];
      /** Of the request after this one. */
      readonly epoch: number;
    };

const INITIAL_EPOCH = 0;
const FINAL_EPOCH = -1;
const SESSION_ID_MAX = 2 ** 31 - 1;

/** Which partitions the request is about. An incremental one moves its session on. */
export function beginFetch(cache: SessionCache, request: SessionRequest, nowMs: number): FetchContext {
  const { sessionId, sessionEpoch, byId, asked, forgotten } = request;
  if (sessionEpoch === INITIAL_EPOCH || sessionEpoch === FINAL_EPOCH) {
    if (sessionId !== 0) cache.remove(sessionId);
    return { kind: sessionEpoch === FINAL_EPOCH ? 'sessionless' : 'full', asked };
  }
  const session = cache.get(sessionId);
  if (!session) return refused('FETCH_SESSION_ID_NOT_FOUND');
  if (session.epoch !== sessionEpoch) return refused('INVALID_FETCH_SESSION_EPOCH');
  if (session.byId !== byId) return refused('FETCH_SESSION_TOPIC_ID_ERROR');
  session.update(asked, forgotten);
  if (session.partitions.size === 0) {
    cache.remove(sessionId);
    return { kind: 'sessionless', asked };
  }
  // Sent back to full requests, the client is served without a session.
  if (!cache.touch(session, nowMs)) return refused('FETCH_SESSION_ID_NOT_FOUND');
  session.epoch = nextEpoch(session.epoch);
  const partitions = [...session.partitions.values()];
  const all = partitions.map((one) => one.asked);
  return { kind: 'incremental', asked: all, partitions, session, epoch: session.epoch };
}

/** Whether the client of an incremental fetch was told just that, the last time, of the partition at that place. */
export function isKnown(
  context: FetchContext,
  place: number,
  { highWatermark, startOffset }: Pick<PartitionLog, 'highWatermark' | 'startOffset'>,
): boolean {
  if (context.kind !== 'incremental') return false;
  const known = context.partitions[place]!;
  return known.highWatermark === highWatermark && known.logStartOffset === startOffset;
}

export interface FetchEnd {
  readonly errorCode: number;
  /** 0: the client goes on without a session. */
  readonly sessionId: number;
  /** Which of the answers the client gets, by their place. */
  readonly includes: (place: number) => boolean;
}

/**
 * What the session makes of the answers; `toldAt` tells of the one to each of `context.asked`, or nothing, where that is
 * known (as `isKnown` says).
 */
export function endFetch(
  cache: SessionCache,
  context: Exclude<FetchContext, { kind: 'refused' }>,
  byId: boolean,
  toldAt: (place: number) => Told | undefined,
  { nowMs, random }: { nowMs: number; random: Random },
): FetchEnd {
  const { asked } = context;
  if (context.kind === 'incremental') {
    const { session } = context;
    // Somebody used the session meanwhile: what is told now would not fit what the client knows.
    if (session.epoch !== context.epoch) {
      return {
        errorCode: CODE.INVALID_FETCH_SESSION_EPOCH,
        sessionId: session.id,
        includes: () => false,
      };
    }
    const isNews = context.partitions.map((one, place) => {
      const told = toldAt(place);
      return told !== undefined && session.tell(one, told);
    });
    return { errorCode: CODE.NONE, sessionId: session.id, includes: (place) => isNews[place]! };
  }
  const session =
    context.kind === 'full'
      ? cache.create(asked.length, byId, nowMs, () => 1 + Math.floor(random.unit() * SESSION_ID_MAX))
      : undefined;
  if (session) {
    session.update(asked, []);
    for (const [place, one] of asked.entries()) session.begin(one, toldAt(place)!);
    cache.touch(session, nowMs);
  }
  return { errorCode: CODE.NONE, sessionId: session?.id ?? 0, includes: () => true };
}

function refused(
  name: 'FETCH_SESSION_ID_NOT_FOUND' | 'INVALID_FETCH_SESSION_EPOCH' | 'FETCH_SESSION_TOPIC_ID_ERROR',
): FetchContext {
  return { kind: 'refused', errorCode: CODE[name] };
}
