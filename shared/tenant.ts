// Which tenant a host stands for, for applications that serve many under `*.example.com`. Pure string work: who the
// tenants are is the application's to know, and Plugboard itself has no idea of them.

import { normalizeHost } from './mounts.ts'

/**
 * What stands before `base` in `host`: `acme` for `acme.example.com` beneath `example.com`, `eu.acme` for a deeper host.
 * `host`: as a request names it, in any case, with a port or not. `base`: `example.com`, or `*.example.com` as a mount
 * has it. Undefined: the host is the base itself, lies elsewhere, or is none. Throws TypeError when `base` is no host.
 */
export function resolveTenant(host: string, base: string): string | undefined {
  const parent = normalizeHost(base.startsWith('*.') ? base.slice(2) : base)
  if (parent === undefined) throw new TypeError(`"${base}" is not a host name`)
  const name = normalizeHost(host)
  const tenant = name?.endsWith(`.${parent}`) ? name.slice(0, -parent.length - 1) : ''
  return tenant === '' ? undefined : tenant
}
