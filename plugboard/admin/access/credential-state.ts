// The state of a credential (active, expired, revoked). API keys and the tokens of telephones use the same rule.

import type { Clock } from '@vera-stack/shared/clock.ts'

export const CREDENTIAL_STATES = ['active', 'expired', 'revoked'] as const
export type CredentialState = (typeof CREDENTIAL_STATES)[number]

interface Expiring {
  /** Null: the credential never expires. */
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
