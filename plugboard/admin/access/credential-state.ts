// The state of a credential (active, expired, revoked): one rule for API keys and for the tokens of telephones.

import type { Clock } from '@vera-stack/shared/clock.ts'

export const CREDENTIAL_STATES = ['active', 'expired', 'revoked'] as const
export type CredentialState = (typeof CREDENTIAL_STATES)[number]

interface Expiring {
  /** Null: never. */
  readonly expiresAt: Date | null
}

export function isExpired({ expiresAt }: Expiring, clock: Clock): boolean {
  return expiresAt !== null && expiresAt.getTime() <= clock.wallTime()
}

export function credentialState(
  row: Expiring & { readonly revokedAt: Date | null },
  clock: Clock,
): CredentialState {
  if (row.revokedAt !== null) return 'revoked'
  return isExpired(row, clock) ? 'expired' : 'active'
}
