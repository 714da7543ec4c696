// Checks whether a target of `plugboard dev --expose` is a public port of this Plugboard. Each request would loop without end,
// so the target is rejected before Plugboard starts. The Via field detects longer loops (proxy/edge/via.ts).

import { networkInterfaces } from 'node:os'
import { parseTarget } from '@vera-stack/shared/net/backend-target.ts'
import type { PlugboardConfig } from '../config.ts'

type PublicAddresses = Pick<PlugboardConfig, 'listen' | 'tlsListen'>

/** Returns the problem and its remedy, or undefined when the target is another server. Throws for a malformed target. */
export function ownPortProblem(text: string, { listen, tlsListen }: PublicAddresses): string | undefined {
  const target = parseTarget(text)
  if (target.kind === 'unix') return undefined
  for (const address of [...listen, tlsListen]) {
    if (address === undefined || address.port !== target.port) continue
    if (!reaches(target.host, address.host)) continue
    return `"${text}" is the public port of this Plugboard, so each request would come back to it without end. Name the port of your web server, or move Plugboard with --port.`
  }
  return undefined
}

/** True when a connection to `host` can arrive at a listener on `listening`; undefined: it listens on all addresses. */
function reaches(host: string, listening: string | undefined): boolean {
  const addresses = addressesOf(host)
  if (addresses === undefined) return false
  if (listening === undefined || listening === '0.0.0.0' || listening === '::') return true
  const own = addressesOf(listening) ?? [listening]
  return addresses.some(address => own.includes(address))
}

/** Returns the addresses of this machine that the host names; undefined: another machine, or a name for the DNS. */
function addressesOf(host: string): readonly string[] | undefined {
  const plain = host.toLowerCase()
  if (plain === 'localhost' || plain.endsWith('.localhost')) return ['127.0.0.1', '::1']
  if (plain === '0.0.0.0') return ['127.0.0.1']
  if (plain === '::') return ['127.0.0.1', '::1']
  if (/^127\./.test(plain) || plain === '::1') return [plain]
  const present = Object.values(networkInterfaces()).some(list => list?.some(each => each.address === plain))
  return present ? [plain] : undefined
}
