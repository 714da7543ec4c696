// Generates the host of a mount for a telephone that does not name one. The telephone proposes one label, and Plugboard adds
// the rest, so all tunnels of the telephone get the same host from all replicas. A label in use fails with `mount_conflict`;
// the telephone then proposes another label.

import { isIP } from 'node:net'
import { type ParsedMount, parseMount } from '@vera-stack/shared/mounts.ts'

/** Characters of one label (RFC 1035). */
const MAX_LABEL = 63
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/**
 * Returns the wildcard under which hosts are generated, in normal form: the setting, else the host of `publicUrl`, else
 * `*.localhost`. Undefined when `publicUrl` has an IP address instead of a host name.
 */
export function generatedHostPattern(
  generatedHosts: string | undefined,
  publicUrl: string | undefined,
): string | undefined {
  if (generatedHosts !== undefined) {
    const parsed = parseMount(generatedHosts)
    return parsed.ok ? parsed.value.host : undefined
  }
  const host = publicUrl === undefined ? 'localhost' : new URL(publicUrl).hostname
  if (host === '127.0.0.1' || host === '[::1]') return '*.localhost'
  return isIP(host) !== 0 || host.startsWith('[') ? undefined : `*.${host}`
}

/** Returns the problem of a value of the setting `generatedHosts`; undefined: the value is valid. */
export function generatedHostsProblem(text: string): string | undefined {
  const parsed = parseMount(text)
  if (!parsed.ok) return parsed.problem
  const { host, path } = parsed.value
  if (!host.startsWith('*.') || path !== '/') {
    return `"${text}" is not a wildcard host; expected one such as *.t.example.com`
  }
  const longest = `${'x'.repeat(MAX_LABEL)}${host.slice(1)}`
  if (!parseMount(longest).ok)
    return `"${text}" is too long: a label of ${MAX_LABEL} characters must fit before it`
  // A URL parser reads a host whose last label has only digits as an IPv4 address (WHATWG URL), so no browser could open it.
  if (!URL.canParse(`http://${longest}`)) return `"${text}" is not a host name that a URL can have`
  return undefined
}

/** Returns the mount for a proposed label. */
export function generatedMount(label: string, pattern: string | undefined): ParsedMount<string> {
  if (pattern === undefined) {
    const problem =
      'This Plugboard has no host for generated names, because its publicUrl has an address instead of a name. ' +
      'Pass --mount, or set generatedHosts at the Plugboard (generatedHosts: "*.t.example.com")'
    return { ok: false, problem }
  }
  if (!LABEL.test(label))
    return {
      ok: false,
      problem: `generatedHost "${label}" is not one label of a host name, such as brisk-otter`,
    }
  return { ok: true, value: `${label}${pattern.slice(1)}` }
}
