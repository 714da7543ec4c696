// The syntax of Forwarded (RFC 7239): reads the elements that a trusted proxy sends, and writes those for the backend.
// Pure string work, linear in the length of the value.

import { isIP } from 'node:net'

/** One hop, as the proxy behind it saw it. */
export interface ForwardedElement {
  /** An address without port and brackets, `unknown`, or an obfuscated name such as `_hidden`. */
  readonly for: string | undefined
  readonly proto: string | undefined
  readonly host: string | undefined
}

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** Wider than a token: some proxies leave out the quotes around a port or an IPv6 address. */
const BARE = /^[^\s",;=\\]+$/
const QUOTED = /^"(?:[^"\\]|\\.)*"$/

/** Returns the elements in their order, the client's first. Returns an empty list when the value breaks the syntax. */
export function readForwarded(value: string): readonly ForwardedElement[] {
  const elements: ForwardedElement[] = []
  for (const element of split(value, ',')) {
    const pairs = new Map<string, string>()
    for (const pair of split(element, ';')) {
      const text = pair.trim()
      if (text === '') continue
      const equals = text.indexOf('=')
      const name = text.slice(0, Math.max(equals, 0)).toLowerCase()
      const written = text.slice(equals + 1)
      if (!NAME.test(name) || !(BARE.test(written) || QUOTED.test(written))) return []
      if (!pairs.has(name)) pairs.set(name, unquoted(written))
    }
    if (pairs.size === 0) continue
    const node = pairs.get('for')
    elements.push({
      for: node ? addressOf(node) : undefined,
      proto: pairs.get('proto'),
      host: pairs.get('host'),
    })
  }
  return elements
}

/** Splits at each separator outside of quotes. */
function split(text: string, separator: ',' | ';'): string[] {
  const parts: string[] = []
  let quoted = false
  let start = 0
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index]
    if (character === '"') quoted = !quoted
    else if (character === '\\' && quoted) index += 1
    else if (character === separator && !quoted) {
      parts.push(text.slice(start, index))
      start = index + 1
    }
  }
  parts.push(text.slice(start))
  return parts
}

function unquoted(written: string): string {
  return written.startsWith('"') ? written.slice(1, -1).replace(/\\(.)/g, '$1') : written
}

/** An address as proxies write it, without the port and the brackets that it may have. Anything else stays as it is. */
export function addressOf(written: string): string {
  const match = /^\[([0-9a-fA-F:.]+)\](?::[0-9]{1,5})?$|^([0-9.]+):[0-9]{1,5}$/.exec(written)
  const address = match?.[1] ?? match?.[2]
  return address !== undefined && isIP(address) !== 0 ? address : written
}

/** `list`: addresses as in X-Forwarded-For. The first element is the client's: it alone has the protocol and the host. */
export function writeForwarded(list: string, proto: string, host: string): string {
  const [client = '', ...proxies] = list.split(',')
  const quoted = /[:[]/.test(host) ? `"${host}"` : host
  let value = `for=${nodeOf(client)};proto=${proto};host=${quoted}`
  for (const proxy of proxies) value += `, for=${nodeOf(proxy)}`
  return value
}

/** Returns an address as the value of `for`; `unknown` for a text that is not an address. */
function nodeOf(written: string): string {
  const address = addressOf(written.trim())
  switch (isIP(address)) {
    case 4:
      return address
    case 6:
      return `"[${address}]"`
    default:
      return /^_[A-Za-z0-9._-]+$/.test(address) ? address : 'unknown'
  }
}
