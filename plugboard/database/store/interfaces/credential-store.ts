// Credentials in the database: tokens of telephones, signing keys and API keys.

import type { TokenId } from '../../../common/ids/row-ids.ts'
import type { JsonObject } from '../../../common/json.ts'
import type { Mutation, Page, PageRequest, Sort } from './mutation.ts'

/** The rights of a telephone's token. An empty list grants no rights; patterns as in shared/mounts.ts. */
export interface Scope {
  readonly services: readonly string[]
  readonly mounts: readonly string[]
}

/** Limits of a token; null: the default of the replicas' settings. */
export interface StoredLimits {
  /** Tunnels open at once, over all replicas. */
  readonly maxTunnels: number | null
  /** Living routes that its telephones have claimed. */
  readonly maxClaims: number | null
  /** Announcements and renewals, on one replica. */
  readonly maxAnnouncementsPerMinute: number | null
}

export interface Token extends Scope, StoredLimits {
  /** `jti` of the JWT. */
  readonly id: TokenId
  /** `sub` of the JWT. */
  readonly name: string
  readonly ttlSeconds: number
  readonly version: number
  readonly createdAt: Date
  /** Of the newest JWT issued under this id. */
  readonly expiresAt: Date
  readonly revokedAt: Date | null
  readonly lastSeenAt: Date | null
}

export interface CredentialFilters {
  /** The name contains this text. */
  readonly q?: string | undefined
  /** True: only those neither revoked nor expired. */
  readonly active?: boolean | undefined
}
export const CREDENTIAL_SORTS = ['createdAt'] as const
export type CredentialSort = Sort<(typeof CREDENTIAL_SORTS)[number]>

/** The tokens that we have issued. An id is the `jti` of one of them, never that of an outside issuer's token. */
export interface TokenStore {
  create(
    input: Scope &
      Partial<StoredLimits> & {
        readonly id?: TokenId | undefined
        readonly name: string
        readonly ttlSeconds: number
      },
    by: Mutation,
  ): Promise<Token>
  /** How many living routes each of these tokens has claimed; one without any is absent. */
  claimCounts(ids: readonly TokenId[]): Promise<ReadonlyMap<TokenId, number>>
  find(id: TokenId): Promise<Token | undefined>
  get(id: TokenId): Promise<Token>
  /** Newest first. */
  list(
    request?: PageRequest & CredentialFilters & { readonly sort?: CredentialSort | undefined },
  ): Promise<Page<Token>>
  /** The number of all rows that fit. */
  count(filters: CredentialFilters): Promise<number>
  /** Moves `expiresAt` to now + ttlSeconds: `token_revoked` or `token_expired` when it is too late. Not a change. */
  renew(id: TokenId): Promise<Token>
  /** Idempotent. The directories of all replicas receive the revocation through the change log. */
  revoke(id: TokenId, by: Mutation): Promise<Token>
  /** Stores that a telephone has used the token now. Not a change. */
  touch(id: TokenId): Promise<void>
}

export interface SigningKey {
  readonly kid: string
  readonly algorithm: 'EdDSA'
  readonly publicJwk: JsonObject
  readonly createdAt: Date
  /** From this time on the key only verifies, until it is removed; null: it signs. */
  readonly retiredAt: Date | null
}

export interface PrivateSigningKey extends SigningKey {
  readonly privateJwk: JsonObject
}

export interface NewSigningKey {
  readonly kid: string
  readonly publicJwk: JsonObject
  readonly privateJwk: JsonObject
}

export interface SigningKeyStore {
  /** Newest first, retired ones too. */
  list(): Promise<readonly SigningKey[]>
  /** Resolves with the current key, and creates it when it is missing. Concurrent replicas get the same key. */
  ensure(generate: () => Promise<NewSigningKey>, by: Mutation): Promise<PrivateSigningKey>
  /** Stores a new current key and retires the ones before. */
  rotate(key: NewSigningKey, by: Mutation): Promise<PrivateSigningKey>
  /** From now on, tokens that it signed verify nowhere. */
  remove(kid: string, by: Mutation): Promise<void>
}

export interface AdminKey {
  readonly id: string
  readonly name: string
  /** The first characters of the key. They identify the row for queries and the key for people. Unique. */
  readonly prefix: string
  readonly scopes: readonly string[]
  /** The services and mounts that the key may grant and change; patterns as in a token's scope. Null: all. */
  readonly limits: Scope | null
  readonly version: number
  readonly createdAt: Date
  readonly expiresAt: Date | null
  readonly revokedAt: Date | null
  readonly lastUsedAt: Date | null
}

export interface NewAdminKey {
  readonly name: string
  readonly prefix: string
  /** The hash of the whole key. The key itself is never stored. */
  readonly hash: string
  readonly scopes: readonly string[]
  /** Not for a key with the scope `admin`. */
  readonly limits?: Scope | null | undefined
  readonly expiresAt?: Date | null | undefined
}

export interface AdminKeyStore {
  create(input: NewAdminKey, by: Mutation): Promise<AdminKey>
  /** True when the database has, or had, an admin key; revoked and expired keys count. */
  everExisted(): Promise<boolean>
  /** Stores a key only when `everExisted` is false; else undefined. Of several replicas at once, one stores its key. */
  createFirst(input: NewAdminKey, by: Mutation): Promise<AdminKey | undefined>
  /** Keys with the scope `admin` that are neither revoked nor expired. */
  countActiveAdmins(): Promise<number>
  /** Stores a key. `revokeOthers`: revokes all other keys with the scope `admin` in the same transaction. */
  reset(input: NewAdminKey, by: Mutation, options: { readonly revokeOthers: boolean }): Promise<AdminKey>
  get(id: string): Promise<AdminKey>
  /** For the check of a credential. Revoked and expired keys are found too. */
  findByPrefix(prefix: string): Promise<(AdminKey & { readonly hash: string }) | undefined>
  /** Hashes of all keys that are neither revoked nor expired, by prefix. */
  activeHashes(): Promise<ReadonlyMap<string, string>>
  /** Newest first. */
  list(
    request?: PageRequest & CredentialFilters & { readonly sort?: CredentialSort | undefined },
  ): Promise<Page<AdminKey>>
  /** The number of all rows that fit. */
  count(filters: CredentialFilters): Promise<number>
  /** Idempotent. Without `force`, the last active key with the scope `admin` is `conflict`. */
  revoke(id: string, by: Mutation, options?: { readonly force?: boolean | undefined }): Promise<AdminKey>
  /** Stores that the key was used now. Not a change. */
  touch(id: string): Promise<void>
}
