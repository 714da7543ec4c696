// The fields that a log line may have: one typed list, so that the same thing has the same name everywhere and
// nothing secret has a place to go. Bodies, tokens and whole headers are left out on purpose.

export interface LogFields {
  readonly requestId?: string | undefined
  readonly tunnelId?: string | undefined
  readonly telephoneId?: string | undefined
  /** The replica that writes the line; in a Telephone's log, the one at the far end of its tunnel. */
  readonly replicaId?: string | undefined
  /** Another replica than the one that writes the line. */
  readonly peerId?: string | undefined
  readonly tokenId?: string | undefined
  readonly service?: string | undefined
  readonly route?: string | undefined
  readonly mount?: string | undefined
  /** A code of the error table, a reason of the protocol, or a system's error code. */
  readonly code?: string | undefined
  /** The cause of a failed request to a backend: a code of backend-causes.ts. */
  readonly cause?: string | undefined
  /** More about `code` or `cause`, in words. */
  readonly detail?: string | undefined
  /** What the operator can do about `cause`. */
  readonly remedy?: string | undefined
  readonly err?: unknown
  /** The part of the program that speaks: `proxy`, `tunnel`, `database`. */
  readonly part?: string | undefined
  readonly attempt?: number | undefined
  readonly count?: number | undefined
  readonly delayMs?: number | undefined
  readonly durationMs?: number | undefined
  readonly bytes?: number | undefined
  readonly method?: string | undefined
  readonly host?: string | undefined
  /** Without its query: that is where clients put secrets. */
  readonly path?: string | undefined
  readonly remoteAddress?: string | undefined
  readonly address?: string | undefined
  readonly url?: string | undefined
  readonly file?: string | undefined
  readonly port?: number | undefined
  readonly signal?: string | undefined
  readonly version?: string | undefined
  readonly agent?: string | undefined
  readonly state?: string | undefined
  readonly pid?: number | undefined
}

/** One finished request. Plain values, filled in once. */
export interface AccessFields {
  readonly requestId: string
  readonly method: string
  readonly host: string
  /** Without its query. */
  readonly path: string
  readonly status: number
  readonly durationMs: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly remoteAddress: string
  readonly route?: string | undefined
  readonly mount?: string | undefined
  readonly service?: string | undefined
  readonly telephoneId?: string | undefined
  readonly code?: string | undefined
  /** The cause of a failed request to a backend: a code of backend-causes.ts. */
  readonly cause?: string | undefined
  /** More about `code` or `cause`, in words of Plugboard, its parser or a Telephone. */
  readonly detail?: string | undefined
}
