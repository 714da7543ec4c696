// The accounts of bytes that this replica holds for telephones and their clients. Each tunnel has an account; its parent is
// the account of the tunnel's token; the root is the account of the replica. A tunnel of another replica also has an account
// here: its unread bytes arrived over a link, and a link carries the streams of many tokens and has no account of its own.

import type { Clock } from '@vera-stack/shared/clock.ts'
import type { LogFields, Logger } from '@vera-stack/shared/log.ts'
import { HeldBytes, type Overrun } from '@vera-stack/shared/protocol/streams/held-bytes.ts'
import { WeakValueMap } from '../common/weak-value-map.ts'
import {
  holderText,
  shortDigest,
  type TokenReference,
  tokenText,
} from '../database/store/values/token-reference.ts'
import type { Line } from '../registry/line.ts'
import type { TunnelId } from '../registry/line-ids.ts'

export interface HeldLimits {
  readonly tunnelBytes: number
  readonly tokenBytes: number
  readonly replicaBytes: number
}

export interface HeldBudgetsOptions {
  readonly limits: HeldLimits
  readonly clock: Clock
  readonly log: Logger
}

const MIB = 2 ** 20
/**
 * A sum of three parts: 1,000 clients of one tunnel that do not read, with 256 KiB each (250 MiB); the growth budget of the
 * tunnel's windows (32 MiB); and its unsent bytes (32 MiB). A Telephone has two tunnels by default.
 */
const TUNNEL_BYTES = 320 * MIB
const TOKEN_BYTES = 2 * TUNNEL_BYTES
/** Shortest time between two log lines about one account, ms. */
const LOG_INTERVAL_MS = 10_000

/** Returns a digest of the token's holder, to which the limits of a token apply. Replicas can exchange it. */
export function holderDigest(token: TokenReference): string {
  return shortDigest(holderText(token))
}

/** Returns the limits from the settings, with defaults for a process that may use `memoryBytes`. */
export function heldLimits(
  memoryBytes: number,
  settings: { readonly [Limit in keyof HeldLimits]?: number | undefined } = {},
): HeldLimits {
  const replicaBytes = settings.replicaBytes ?? Math.floor(memoryBytes / 2)
  const tokenBytes = settings.tokenBytes ?? Math.min(TOKEN_BYTES, Math.floor(replicaBytes / 2))
  const tunnelBytes = settings.tunnelBytes ?? Math.min(TUNNEL_BYTES, Math.floor(tokenBytes / 2))
  return { tunnelBytes, tokenBytes, replicaBytes }
}

export class HeldBudgets {
  readonly replica: HeldBytes
  readonly #options: HeldBudgetsOptions
  readonly #tokens = new WeakValueMap<HeldBytes>()
  readonly #remoteTunnels = new WeakValueMap<HeldBytes>()

  constructor(options: HeldBudgetsOptions) {
    this.#options = options
    const budgetBytes = options.limits.replicaBytes
    const onOverrun = this.#logged('this replica', {})
    this.replica = new HeldBytes({ budgetBytes, ofPrincipals: true, onOverrun })
  }

  /** Creates an account for one session with the holder of the token. */
  ofTunnel(tunnelId: TunnelId, token: TokenReference): HeldBytes {
    const fields = { tokenId: tokenText(token) }
    return this.#ofSession(this.#token(holderDigest(token), fields), { ...fields, tunnelId })
  }

  /** Returns the account of another replica's line, which is the account of the line's tunnel. */
  ofRemote({ tunnelId, telephone, holder }: Pick<Line, 'tunnelId' | 'telephone' | 'holder'>): HeldBytes {
    return this.#remoteTunnels.getOrAdd(tunnelId, () => {
      const fields = { tunnelId, telephoneId: telephone }
      // A replica of an older version does not send the holder of the token.
      return this.#ofSession(this.#token(holder ?? `tunnel/${tunnelId}`, fields), fields)
    })
  }

  #token(key: string, fields: LogFields): HeldBytes {
    return this.#tokens.getOrAdd(
      key,
      () =>
        new HeldBytes({
          budgetBytes: this.#options.limits.tokenBytes,
          parent: this.replica,
          onOverrun: this.#logged('a token', fields),
        }),
    )
  }

  #ofSession(parent: HeldBytes, fields: LogFields): HeldBytes {
    const budgetBytes = this.#options.limits.tunnelBytes
    return new HeldBytes({ budgetBytes, parent, onOverrun: this.#logged('a tunnel', fields) })
  }

  #logged(what: string, fields: LogFields): (overrun: Overrun) => void {
    const { clock, log } = this.#options
    let quietUntilMs = Number.NEGATIVE_INFINITY
    let evicted = 0
    return ({ heldBytes, budgetBytes, evictedStreams, endedSessions }) => {
      evicted += evictedStreams
      const nowMs = clock.now()
      if (nowMs < quietUntilMs && endedSessions === 0) return
      quietUntilMs = nowMs + LOG_INTERVAL_MS
      const detail = `${what} may hold ${budgetBytes} bytes; ${endedSessions} tunnels were ended`
      log.warn('streams were reset: too many bytes are held', {
        ...fields,
        code: 'over_budget',
        detail,
        bytes: heldBytes,
        count: evicted,
      })
      evicted = 0
    }
  }
}
