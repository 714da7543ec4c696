// The hosts of mounts that telephones do not name. A telephone proposes one label, and Plugboard adds the rest, so all tunnels
// of the telephone get the same host from all replicas. A label that is taken is `mount_conflict`: the telephone proposes
// another one.

import { isIP } from 'node:net'
import { type Parsed, parseMount } from '@vera-stack/shared/mounts.ts'

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/**
 * Returns the wildcard beneath which hosts are generated: the setting, else the host of `publicUrl`, else `*.localhost`.
 * Undefined when `publicUrl` has an address instead of a name.
 */
export function generatedHostPattern(
  generatedHosts: string | undefined,
  publicUrl: string | undefined,
): string | undefined {
  if (generatedHosts !== undefined) return generatedHosts
  const host = publicUrl === undefined ? 'localhost' : new URL(publicUrl).hostname
  if (host === '127.0.0.1' || host === '[::1]') return '*.localhost'
  return isIP(host) !== 0 || host.startsWith('[') ? undefined : `*.${host}`
}

/** What is wrong with a value of the setting `generatedHosts`. */
export function generatedHostsProblem(text: string): string | undefined {
  const parsed = parseMount(text)
  if (!parsed.ok) return parsed.problem
  return parsed.value.host.startsWith('*.') && parsed.value.path === '/'
    ? undefined
    : `"${text}" is not a wildcard host; expected one such as *.t.example.com`
}

/** The mount for a proposed label. */
export function generatedMount(label: string, pattern: string | undefined): Parsed<string> {
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
