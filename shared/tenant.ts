// Finds the tenant in a host, for applications that serve many tenants under `*.example.com`. A pure function on strings: the
// application keeps the list of tenants, and Plugboard has no such concept.

import { normalizeHost } from './mounts.ts'

/**
 * Returns the labels of `host` before `base`: `acme` for `acme.example.com` and the base `example.com`, `eu.acme` for a deeper
 * host. `host` is the host of a request, in any case, with or without a port. `base` is `example.com`, or `*.example.com` as in
 * a mount. Returns undefined when `host` is the base itself, is not under the base, or is not a valid host. Throws TypeError
 * when `base` is not a host.
 */
export function resolveTenant(host: string, base: string): string | undefined {
  const parent = normalizeHost(base.startsWith('*.') ? base.slice(2) : base)
  if (parent === undefined) throw new TypeError(`"${base}" is not a host name`)
  const name = normalizeHost(host)
  const tenant = name?.endsWith(`.${parent}`) ? name.slice(0, -parent.length - 1) : ''
  return tenant === '' ? undefined : tenant
}
