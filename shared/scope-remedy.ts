// Builds the remedy for a token that does not cover a service or a mount: the command that issues a token with the missing
// scope. Plugboard sends it with a refused announcement, and `telephone check` prints it.

import { mountScopeCovers, parseMount, serviceScopeCovers } from './mounts.ts'
import { shellQuoted } from './process/own-command.ts'

/** The scope of a token, with the names of its issuer and its Telephone. */
export interface TokenScope {
  /** The outside issuer. Undefined: Plugboard issued the token. */
  readonly issuer: string | undefined
  /** Name of the Telephone in the token. Undefined: unknown. */
  readonly subject: string | undefined
  readonly services: readonly string[]
  readonly mounts: readonly string[]
}

export interface NeededScope {
  readonly service: string
  /** The mount in normal form. Undefined: only the service is needed. */
  readonly mount: string | undefined
}

/** Most scopes that a message lists. A token may have 1000 scopes, and a Telephone accepts texts of at most 500 characters. */
const MAX_LISTED = 4
/** Most characters of such a list. */
const MAX_LIST_LENGTH = 160

/** Returns a clause such as `it covers a, b`. */
export function coverageText(scopes: readonly string[]): string {
  if (scopes.length === 0) return 'it covers no name'
  const listed = listable(scopes)
  if (listed.length > 0) return `it covers ${listed.join(', ')}`
  return scopes.length === 1 ? 'it covers one long name' : `it covers ${scopes.length} names`
}

/** Returns the remedy as a sentence. Its command also has the present scope of the token, when that is short. */
export function scopeRemedy({ service, mount }: NeededScope, token: TokenScope): string {
  if (token.issuer !== undefined) {
    const claims = mount === undefined ? 'the claim "services"' : 'the claims "services" and "mounts"'
    return `Get a token that has it in ${claims} from its issuer, ${token.issuer}`
  }
  const place = mount === undefined ? undefined : parseMount(mount)
  const coversMount = (scope: string): boolean => place?.ok === true && mountScopeCovers(scope, place.value)
  const services = withNeeded(token.services, service, scope => serviceScopeCovers(scope, service))
  const mounts = withNeeded(token.mounts, mount, coversMount)
  const command = [
    `plugboard token issue --name ${token.subject === undefined ? '<name>' : shellQuoted(token.subject)}`,
    ...services.map(name => `--service ${shellQuoted(name)}`),
    ...mounts.map(name => `--mount ${shellQuoted(name)}`),
  ]
  return `Issue a token that does: ${command.join(' ')}`
}

/** Returns the scopes, or an empty list when they are too long for a message. */
function listable(scopes: readonly string[]): readonly string[] {
  return scopes.length <= MAX_LISTED && scopes.join().length <= MAX_LIST_LENGTH ? scopes : []
}

/** Returns the present scopes when they are short, and adds `needed` unless one of them covers it. */
function withNeeded(
  scopes: readonly string[],
  needed: string | undefined,
  covers: (scope: string) => boolean,
): readonly string[] {
  const present = listable(scopes)
  return needed === undefined || present.some(covers) ? present : [...present, needed]
}
