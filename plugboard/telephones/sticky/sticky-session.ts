// The sticky sessions of a service, and the session of one request. The client repeats a value of an earlier response, which is
// a keyed hash of the name of a telephone (bound-process.ts). The key is derived from the id of the service. So all replicas
// accept the value, and Plugboard stores no sessions and no secret. The value hides the name. It is not a
// credential: a client can choose its process.

import { cookieValue } from '../../common/http/cookie-value.ts'
import { type HashKey, keyedHash } from '../../limits/keyed-hash.ts'
import { headerValue, ruleKey } from '../../limits/limit-keys.ts'
import type { ServicePolicy } from '../../routes/options/service-policy.ts'
import type { StickyRules } from '../../routes/rules/sticky-rules.ts'

/** The sticky sessions of one service. */
export interface StickyService {
  readonly kind: 'cookie' | 'header'
  /** Name of the cookie or of the header field. */
  readonly name: string
  /** The same, with a header field in lower case. */
  readonly readName: string
  /** Lifetime of the cookie; undefined: until the browser is closed. */
  readonly ttlSeconds: number | undefined
  readonly key: HashKey
}

/** The session of one request. */
export interface StickySession {
  readonly service: StickyService
  /** The value that the client has sent; undefined: it has no session. */
  readonly received: string | undefined
}

// A changed policy has a new object of rules, so the entry of the old one is dropped.
const compiled = new WeakMap<StickyRules, StickyService>()

/** Returns the session of a request; undefined: the service has no sticky sessions. `fields`: name, value, name, value. */
export function stickySession(
  { sticky }: Pick<ServicePolicy, 'sticky'>,
  serviceId: string,
  fields: readonly string[],
): StickySession | undefined {
  if (sticky === null) return undefined
  const service = stickyService(sticky, serviceId)
  const read = service.kind === 'cookie' ? cookieValue : headerValue
  return { service, received: read(fields, service.readName) }
}

function stickyService(sticky: StickyRules, serviceId: string): StickyService {
  const known = compiled.get(sticky)
  if (known !== undefined) return known
  const service = compile(sticky, serviceId)
  compiled.set(sticky, service)
  return service
}

function compile(sticky: StickyRules, serviceId: string): StickyService {
  const key = ruleKey(serviceId, 'sticky')
  if ('header' in sticky) {
    const { header } = sticky
    return { kind: 'header', name: header, readName: header.toLowerCase(), ttlSeconds: undefined, key }
  }
  const { name = defaultName(serviceId), ttlSeconds } = sticky.cookie
  return { kind: 'cookie', name, readName: name, ttlSeconds, key }
}

/** Services whose mounts share a host each have a cookie of their own. */
function defaultName(serviceId: string): string {
  const hash = keyedHash(serviceId, ruleKey('sticky cookie'))
  return `plugboard-${hash.toString(36).slice(0, 8)}`
}
