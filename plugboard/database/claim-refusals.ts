// The errors of a claim: the service or the mount is not in the scope of the token, or another service has the mount. Each
// message has the remedy, for the person who reads it at the Telephone. Both checks of a claim use them: the one before the
// database (telephones/announcement.ts) and the one in it (claim-mount.ts).

import { VeraError } from '@vera-stack/shared/errors.ts'
import { formatMount, type Mount, mountScopeCovers, serviceScopeCovers } from '@vera-stack/shared/mounts.ts'
import { coverageText, scopeRemedy, type TokenScope } from '@vera-stack/shared/scope-remedy.ts'
import type { Route, Scope } from './store/store.ts'
import type { TokenReference } from './store/values/token-reference.ts'

/** The token of a claim. `subject`: the name of the telephone in the token, when the caller has it. */
export interface ClaimingToken extends Scope {
  readonly reference: TokenReference
  readonly subject?: string | undefined
}

/** `mount`: in normal form; undefined when only the service was announced. */
export function serviceNotCovered(
  service: string,
  mount: string | undefined,
  token: ClaimingToken,
): VeraError {
  const detail = `The token does not cover service "${service}" (${coverageText(token.services)}). ${scopeRemedy({ service, mount }, scopeOf(token))}`
  return new VeraError('forbidden', detail, { field: 'service' })
}

export function mountNotCovered(service: string, mount: string, token: ClaimingToken): VeraError {
  const detail = `The token does not cover mount ${mount} (${coverageText(token.mounts)}). ${scopeRemedy({ service, mount }, scopeOf(token))}`
  return new VeraError('forbidden', detail, { field: 'mount' })
}

/**
 * The mount is the mount of `other`, or lies above or beneath it. The message names the route and its service only to a token
 * that covers one of the two: a token for one tenant must not list the services of others.
 */
export function mountTaken(mount: Mount, other: Route, token: Scope): VeraError {
  const text = formatMount(mount)
  const place = { host: other.host, path: other.mountPath }
  const isKnown =
    token.mounts.some(scope => mountScopeCovers(scope, place)) ||
    token.services.some(scope => other.serviceName !== null && serviceScopeCovers(scope, other.serviceName))
  const owner = isKnown ? ownerOf(other) : 'The token does not cover that route.'
  const remedies = isKnown
    ? `Choose another mount, or delete the route: plugboard route rm ${other.id}`
    : 'Choose another mount, or ask an administrator of this Plugboard.'
  const detail = `Mount ${text} is not free, because it ${relation(mount, place)}. ${owner} ${remedies}`
  return new VeraError('mount_conflict', detail, { field: 'mount' })
}

function ownerOf({ id, mount, serviceName }: Route): string {
  const use =
    serviceName === null ? 'responds there without a service' : `mounts it for service "${serviceName}"`
  return `Route ${id} of ${mount} ${use}.`
}

function relation(mount: Mount, other: Mount): string {
  if (mount.path === other.path) return 'has a route already'
  return mount.path.length > other.path.length
    ? `lies beneath the mount ${formatMount(other)}`
    : `lies above the mount ${formatMount(other)}`
}

const scopeOf = ({ reference, subject, services, mounts }: ClaimingToken): TokenScope => ({
  issuer: reference.kind === 'own' ? undefined : reference.issuer,
  subject,
  services,
  mounts,
})
