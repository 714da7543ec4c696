// The checks of credentials: tokens of telephones that end soon, and the admin key that exists only on this machine.

import { type Finding, failed, listed, ok, spanText, warning } from '../finding.ts'

const SOON_MS = 7 * 86_400_000
/** A telephone renews its token when a third of the lifetime is left. */
const RENEWED_SHARE = 0.3

export interface EndingToken {
  readonly id: string
  readonly name: string
  readonly expiresAt: Date
  readonly ttlSeconds: number
}

/**
 * `tokens`: the active ones. A token with a short lifetime always ends within 7 days, so it counts only when its telephone has not
 * renewed it in time.
 */
export function checkTokens(tokens: readonly EndingToken[], nowMs: number): Finding {
  const leftMs = ({ expiresAt }: EndingToken): number => expiresAt.getTime() - nowMs
  const ending = tokens
    .filter(token => leftMs(token) <= Math.min(SOON_MS, token.ttlSeconds * 1000 * RENEWED_SHARE))
    .sort((left, right) => leftMs(left) - leftMs(right))
  const [first] = ending
  if (first === undefined) return ok('No token of a telephone ends within 7 days.')
  const names = listed(ending.map(({ name }) => name))
  return warning(
    `${ending.length === 1 ? 'A token ends' : `${ending.length} tokens end`} within 7 days: ${names}. The first one ends in ${spanText(leftMs(first))}. A connected telephone renews its token by itself.`,
    `Start the telephone, or issue a new token: "plugboard token list" shows the services and mounts for "plugboard token issue". Revoke a token without use: "plugboard token revoke ${first.id}".`,
  )
}

/** `keyFile`: the file with an admin key in the data folder of this machine; undefined without one. */
export function checkAdminKeys(activeAdmins: number, keyFile: string | undefined): Finding {
  if (activeAdmins === 0) {
    return failed(
      'No active API key has the scope admin.',
      'Run "plugboard key reset" on the machine of Plugboard to make one.',
    )
  }
  if (activeAdmins === 1 && keyFile !== undefined) {
    return warning(
      `The only admin key is in ${keyFile} on this machine. With this disk, the access to the admin API is lost.`,
      'Run "plugboard key create --name spare --scope admin", and keep this key on another machine.',
    )
  }
  return ok(`${activeAdmins} active API ${activeAdmins === 1 ? 'key has' : 'keys have'} the scope admin.`)
}
