// The typed list of all fields of log lines. It gives the same thing the same name everywhere. It has no field for bodies,
// tokens or whole headers, so that no secret is logged.

export interface LogFields {
  readonly requestId?: string | undefined
  readonly tunnelId?: string | undefined
  readonly telephoneId?: string | undefined
  /** The replica that writes the line. In the log of a Telephone: the replica at the other end of the tunnel. */
  readonly replicaId?: string | undefined
  /** A replica other than the one that writes the line. */
  readonly peerId?: string | undefined
  readonly tokenId?: string | undefined
  readonly service?: string | undefined
  readonly subset?: string | undefined
  readonly route?: string | undefined
  readonly mount?: string | undefined
  /** A code of the error table, a reason of the protocol, or a system's error code. */
  readonly code?: string | undefined
  /** The cause of a failed request to a backend: a code of backend-causes.ts. */
  readonly cause?: string | undefined
  /** More about `code` or `cause`, in words. */
  readonly detail?: string | undefined
  /** An action for the operator that removes `cause`. */
  readonly remedy?: string | undefined
  readonly err?: unknown
  /** The part of the program that writes the line: `proxy`, `tunnel`, `database`. */
  readonly part?: string | undefined
  readonly attempt?: number | undefined
  readonly count?: number | undefined
  readonly delayMs?: number | undefined
  readonly durationMs?: number | undefined
  readonly bytes?: number | undefined
  readonly method?: string | undefined
  readonly host?: string | undefined
  /** The path without its query, because clients put secrets into queries. */
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

/** The fields of one finished request, as plain values. access-fields.ts has the meaning of each. */
export interface AccessFields {
  readonly requestId: string
  readonly method: string
  readonly host: string
  /** The path without its query. */
  readonly path: string
  readonly status: number
  readonly durationMs: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly remoteAddress: string
  readonly protocol?: string | undefined
  readonly route?: string | undefined
  readonly mount?: string | undefined
  readonly service?: string | undefined
  readonly telephoneId?: string | undefined
  readonly peer?: string | undefined
  /** The subset of the service to which the telephone belongs. Absent: the service has no subsets, or none selects it. */
  readonly subset?: string | undefined
  readonly headMs?: number | undefined
  readonly backendMs?: number | undefined
  readonly retries?: number | undefined
  /** Name of the rate limit that rejected the request, or that would have rejected it, if it had not `enforce: false`. */
  readonly limit?: string | undefined
  readonly code?: string | undefined
  /** The cause of a failed request to a backend: a code of backend-causes.ts. */
  readonly cause?: string | undefined
  /** More about `code` or `cause`: text of Plugboard, of its HTTP parser or of a Telephone. */
  readonly detail?: string | undefined
  readonly traceId?: string | undefined
  /** The exchange of the inspector that this request repeats. Absent: a client sent it. */
  readonly replayOf?: string | undefined
  /** Only with the setting `accessLogUserAgent`. */
  readonly userAgent?: string | undefined
  readonly sampleRate?: number | undefined
}
