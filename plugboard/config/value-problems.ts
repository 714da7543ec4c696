// Checks of single values of settings. Each function returns the problem of a value; undefined: the value is valid.

import { parseNetwork } from '../common/net/ip-networks.ts'
import { isChallengeType } from '../tls/acme/names.ts'
import { parsePair } from '../tls/certificate-pairs.ts'

export function challengeProblem(text: string): string | undefined {
  return isChallengeType(text) ? undefined : `"${text}" is not a challenge: use http-01 or tls-alpn-01`
}

export function acmeHostProblem(text: string): string | undefined {
  const host = text.startsWith('*.') ? text.slice(2) : text
  return /^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(host) ? undefined : `"${text}" is not a host in lower case`
}

export function pairProblem(text: string): string | undefined {
  return parsePair(text) === undefined ? `"${text}" is not chain.pem:key.pem` : undefined
}

export function peerProblem(text: string): string | undefined {
  const url = URL.parse(/^https?:\/\//i.test(text) ? text : `http://${text}`)
  const hasPort = /:\d+\/?$/.test(text)
  return url !== null && hasPort && url.pathname === '/' ? undefined : `"${text}" is not host:port`
}

export function networkProblem(network: string): string | undefined {
  return parseNetwork(network) === undefined
    ? `"${network}" is not an address or a network such as 10.0.0.0/8`
    : undefined
}

/** Browsers send an origin in one form: in lower case, without the default port, without a path. */
export function originProblem(text: string): string | undefined {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol) || text.includes('*'))
    return `"${text}" is not an origin such as https://app.example.com`
  return url.origin === text
    ? undefined
    : `"${text}" is not in the form that browsers send: write ${url.origin}`
}
