// Writes and pages: the shapes that all stores share.

/** The author of a change and, for If-Match, the version that they have read; another version is `precondition_failed`. */
export interface Mutation {
  /** For the audit log: `admin-key:<id>`, `token:<holder>` (token-reference.ts), `cli`, `system`. 1-255 characters. */
  readonly actor: string
  /** Id of the admin key of the request. A key that is revoked or expired at the time of the change is `unauthorized`. */
  readonly keyId?: string | undefined
  readonly ifVersion?: number | undefined
  /** True to check the change in a transaction that is rolled back. The result is as if the change had been made. */
  readonly dryRun?: boolean | undefined
  /** For a creation by an admin key: a repetition has no effect, and rejects with RepeatedRequest (idempotency.ts). */
  readonly idempotency?: IdempotentCreation | undefined
}

export interface IdempotentCreation {
  /** The key of the client, unique for its credential. */
  readonly key: string
  /** The same for each repetition of the request, and another one for each other request. */
  readonly fingerprint: string
  /** Returns the path of the created row, and the response to it. `body` null: it has a secret, which must not be stored. */
  readonly result: (row: never) => { readonly location: string; readonly body: string | null }
}

export interface PageRequest {
  /** 1-500, default 100. */
  readonly limit?: number | undefined
  /** `nextCursor` of the page before; opaque. A malformed cursor is `invalid_request`, field `cursor`. */
  readonly cursor?: string | undefined
}

/** The name of an order of rows; with `-`, the opposite direction. */
export type Sort<Name extends string> = Name | `-${Name}`

/** Rows in a fixed order; rows inserted meanwhile never make a later page repeat or skip an older row. */
export interface Page<Row> {
  readonly items: readonly Row[]
  readonly nextCursor: string | undefined
}
