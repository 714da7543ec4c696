// The check of `trustedProxies`: a proxy that sends no X-Forwarded-* and no Forwarded makes all its clients count as one.

import { counted, type Finding, listed, ok, unknown, warning } from '../finding.ts'

/** What the trusted proxies of one network have sent since the start. */
export interface ProxyNetworkUse {
  /** As in the setting. */
  readonly network: string
  readonly requests: number
  readonly sendsFields: boolean
}

export function checkTrustedProxies(uses: readonly ProxyNetworkUse[], proxyProtocol: boolean): Finding {
  if (uses.length === 0) return ok('No proxy is trusted: each peer counts as a client.')
  if (proxyProtocol)
    return ok('Trusted proxies report their clients by the PROXY protocol, which is required.')
  const silent = uses.filter(({ requests, sendsFields }) => requests > 0 && !sendsFields)
  if (silent.length > 0) {
    const requests = silent.reduce((sum, use) => sum + use.requests, 0)
    return warning(
      `Trusted proxies never sent X-Forwarded-* or Forwarded, in ${counted(requests, 'request')}: ${listed(silent.map(({ network }) => network))}. All their clients count as one.`,
      'Let the proxy send X-Forwarded-For (nginx: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for), or remove it from trustedProxies.',
    )
  }
  const unseen = uses.filter(({ requests }) => requests === 0)
  if (unseen.length > 0) {
    return unknown(
      `No request from these trusted proxies since the start: ${listed(unseen.map(({ network }) => network))}.`,
      'When the proxy is in use, correct its address in trustedProxies. The access log has the peer of each request as clientAddress.',
    )
  }
  return ok(
    `${counted(uses.length, 'network')} of trusted proxies ${uses.length === 1 ? 'sends' : 'send'} forwarding fields.`,
  )
}
