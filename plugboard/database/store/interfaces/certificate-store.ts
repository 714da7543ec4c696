// Certificates of an authority in the database.

/** A certificate of an authority. `chain`: PEM; `sealedKey`: as tls/key-seal.ts made it. */
export interface StoredCertificate {
  readonly host: string
  readonly chain: string
  readonly sealedKey: string
  readonly notAfter: Date
  readonly renewAt: Date
  readonly issuedAt: Date
}

/**
 * The decision about an order. `busy`: another replica has the order, or too many orders run. `waiting`: the last order failed
 * a short time ago, or the host is not due. `token_rate_limited`: the token that claimed the host has used up its orders.
 */
export type OrderDecision = 'granted' | 'busy' | 'waiting' | 'rate_limited' | 'token_rate_limited'

export interface SealedKey {
  readonly kind: 'certificate' | 'account'
  /** The host, or the URL of the directory. */
  readonly name: string
  readonly sealedKey: string
}

/** The state of the order of a host. `renewAt`: null before the first certificate. */
export interface CertificateOrder {
  readonly host: string
  readonly notAfter: Date | null
  readonly renewAt: Date | null
  /** Null: the last order succeeded, or there was none. */
  readonly lastError: string | null
  readonly nextAttemptAt: Date
}

export interface CertificateStore {
  find(host: string): Promise<StoredCertificate | undefined>
  /** Hosts whose certificate was issued after this; by the database's clock. */
  issuedAfter(at: Date): Promise<readonly { readonly host: string; readonly issuedAt: Date }[]>
  /** Resolves with hosts whose certificate is due and has no order in progress. Deletes rows that expired long ago. */
  due(limit: number): Promise<readonly string[]>
  /** Requests the lease of an order, for at most `leaseMs`. `failures`: the number of consecutive failed attempts. */
  begin(request: {
    readonly host: string
    readonly owner: string
    readonly leaseMs: number
    /** Across replicas. */
    readonly atOnce: number
    readonly perHour: number
    /**
     * For a host whose first living route was claimed by a telephone: how many orders its token may begin in an hour. The
     * token also gets at most half of `atOnce`. Undefined: the host does not count for a token.
     */
    readonly perToken: number | undefined
    /** True when the stored certificate cannot be used, so that an order may begin before it is due. */
    readonly unusable: boolean
  }): Promise<{ readonly decision: OrderDecision; readonly failures: number }>
  succeed(certificate: Omit<StoredCertificate, 'issuedAt'>, owner: string): Promise<void>
  fail(host: string, owner: string, error: string, retryMs: number): Promise<void>
  /** Releases the lease. The attempt does not count. */
  release(host: string, owner: string): Promise<void>
  /** Resolves with the state of the orders: failed ones first, then by the time of the renewal. */
  orders(limit: number): Promise<readonly CertificateOrder[]>
  account(directory: string): Promise<{ readonly url: string; readonly sealedKey: string } | undefined>
  /** Stores the account if there is no account yet. Resolves with the stored account. */
  saveAccount(
    directory: string,
    account: { readonly url: string; readonly sealedKey: string },
    replaces?: string,
  ): Promise<{ readonly url: string; readonly sealedKey: string }>
  /** Resolves with the stored private keys of all certificates and accounts. `name`: the name that each key is sealed with. */
  sealedKeys(): Promise<readonly SealedKey[]>
  /** Resolves with false when the stored key is no longer `before`. */
  replaceKey(kind: SealedKey['kind'], name: string, before: string, after: string): Promise<boolean>
  /** `kind` `http`: by token; `tls`: by host. */
  publishChallenge(kind: 'http' | 'tls', name: string, value: string, forMs: number): Promise<void>
  challenge(kind: 'http' | 'tls', name: string): Promise<string | undefined>
  /** Deletes the challenge, and all expired challenges. */
  dropChallenge(kind: 'http' | 'tls', name: string): Promise<void>
}
