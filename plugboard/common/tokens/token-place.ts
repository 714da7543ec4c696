// Chooses a service and a mount that a token covers, for the commands that people get with a new token.

import {
  mountScopeCovers,
  parseMount,
  serviceNameOfMount,
  serviceScopeCovers,
} from '@vera-stack/shared/mounts.ts'

export interface TokenPlace {
  /** Null: the name that the Telephone takes from the mount, or generates. */
  readonly service: string | null
  /** Null: a route of an administrator leads to the service, or the Telephone generates a host. */
  readonly mount: string | null
}

/** A service that `telephone http` generates (telephone/options/generated-name.ts). */
const GENERATED_SERVICE = 'tunnel-x'
const GENERATED: TokenPlace = { service: null, mount: null }

export function placeOf(scope: {
  readonly services: readonly string[]
  readonly mounts: readonly string[]
}): TokenPlace {
  const { services, mounts } = scope
  const covered = (service: string): boolean => services.some(each => serviceScopeCovers(each, service))
  const service = services.find(name => !name.includes('*')) ?? services[0]?.replace('*', '1') ?? null
  const [first] = mounts
  const named = mounts.find(mount => !mount.includes('*'))
  if (first === undefined) return { service, mount: null }
  const parsed = parseMount(named ?? first.replace('*', 'app'))
  if (
    !parsed.ok ||
    (named === undefined && (first === '*' || isWildcardHost(first)) && covered(GENERATED_SERVICE))
  )
    return GENERATED
  const { value: mount } = parsed
  if (!mounts.some(each => mountScopeCovers(each, mount))) return GENERATED
  const text = mount.path === '/' ? mount.host : mount.host + mount.path
  return covered(serviceNameOfMount(mount)) ? { service: null, mount: text } : { service, mount: text }
}

const isWildcardHost = (mount: string): boolean => /^\*\.[^/]+$/.test(mount)
