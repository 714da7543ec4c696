// Converts the configured address of a Plugboard to the address of its tunnel endpoint.

import { TUNNEL_PATH } from '@vera-stack/shared/mounts.ts'

/**
 * Converts `https://proxy.example.com` to `wss://proxy.example.com/_plugboard/tunnel`. Accepts http, https, ws and wss,
 * with or without the path of the tunnel. Throws an Error with a message of one line for an invalid address.
 */
export function tunnelUrl(plugboard: string): URL {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(plugboard) ? plugboard : `https://${plugboard}`
  if (!URL.canParse(text))
    throw new Error('not an address of a Plugboard; expected https://host or http://host:port')
  const url = new URL(text)
  switch (url.protocol) {
    case 'http:':
    case 'ws:':
      url.protocol = 'ws:'
      break
    case 'https:':
    case 'wss:':
      url.protocol = 'wss:'
      break
    default:
      throw new Error(`${url.protocol}// is not a Plugboard's protocol; expected https:// or http://`)
  }
  if (url.username !== '' || url.password !== '') {
    throw new Error("a Plugboard's address holds no user name or password; the token goes into --token-file")
  }
  if (url.pathname !== '/' && url.pathname !== TUNNEL_PATH) {
    throw new Error(`the path ${url.pathname} is not a Plugboard's; give scheme, host and port only`)
  }
  if (url.search !== '' || url.hash !== '') throw new Error("a Plugboard's address has no ? and no #")
  url.pathname = TUNNEL_PATH
  return url
}

/** True when the address names this machine, so that no byte leaves it. */
export function isLoopback(url: URL): boolean {
  const host = url.hostname
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === '[::1]' ||
    /^127(\.\d{1,3}){3}$/.test(host)
  )
}

/** Returns scheme and host for messages and logs, without the path, which is always the same. */
export function displayUrl(url: URL): string {
  return `${url.protocol === 'wss:' ? 'https' : 'http'}://${url.host}`
}
