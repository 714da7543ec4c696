// The address of a backend and its HTTP version, parsed once at start: `http://host:port`, `https://host:port`,
// `unix:/path.sock`; for HTTP/2 `h2c://host:port` (cleartext, prior knowledge), `h2://host:port` (TLS) and
// `unix+h2c:/path.sock`. The short forms `3000` and `localhost:3000` are accepted too.

export type HttpTarget =
  | {
      readonly kind: 'tcp' | 'tls'
      /** True when the backend accepts HTTP/2 only. */
      readonly http2: boolean
      readonly host: string
      readonly port: number
      readonly authority: string
    }
  | { readonly kind: 'unix'; readonly http2: boolean; readonly path: string; readonly authority: string }

interface Scheme {
  readonly kind: 'tcp' | 'tls'
  readonly http2: boolean
  readonly defaultPort: number
}

const SCHEMES: ReadonlyMap<string, Scheme> = new Map([
  ['http', { kind: 'tcp', http2: false, defaultPort: 80 }],
  ['https', { kind: 'tls', http2: false, defaultPort: 443 }],
  ['h2c', { kind: 'tcp', http2: true, defaultPort: 80 }],
  ['h2', { kind: 'tls', http2: true, defaultPort: 443 }],
])
/** Scheme names of other tools. They are rejected; the error message names the scheme to write instead. */
const OTHER_WORDS: ReadonlyMap<string, string> = new Map([
  ['grpc', 'h2c'],
  ['grpcs', 'h2'],
  ['http2', 'h2c'],
  ['https2', 'h2'],
  ['h2s', 'h2'],
  ['ws', 'http'],
  ['wss', 'https'],
])
const UNIX = /^(unix|unix\+h2c|h2c\+unix):/

/** Parses a target. Throws an Error with a message of one line that names the valid form. */
export function parseTarget(text: string): HttpTarget {
  const trimmed = text.trim()
  const unix = UNIX.exec(trimmed)
  if (unix !== null) return unixTarget(trimmed.slice(unix[0].length), unix[1] !== 'unix', text)
  if (/^[0-9]+$/.test(trimmed)) {
    return { kind: 'tcp', http2: false, ...place('localhost', port(trimmed, text), 80) }
  }
  const [, name = 'http', rest = trimmed] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(trimmed) ?? []
  const scheme = SCHEMES.get(name.toLowerCase())
  if (scheme === undefined) throw new Error(unknownScheme(name.toLowerCase(), rest, text))
  const written = /^(?:\[[^\]]*\]|[^:/?#@]*):([^/?#@]*)(?:[/?#]|$)/.exec(rest)?.[1]
  if (written !== undefined) port(written, text)
  let url: URL
  try {
    // `URL` checks hosts only for schemes of its own, so the text is parsed as http or https. Their default ports are equal to
    // `defaultPort`.
    url = new URL(`${scheme.kind === 'tls' ? 'https' : 'http'}://${rest}`)
  } catch (cause) {
    throw new Error(`"${text}" is not a target: use a port, host:port, a URL or unix:/path.sock`, { cause })
  }
  if (url.username !== '' || url.password !== '')
    throw new Error('a target cannot hold a user name or a password')
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw new Error(
      `"${text}" has a path: a target is scheme, host and port only (the mount of the service sets the path)`,
    )
  }
  const { kind, http2, defaultPort } = scheme
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return { kind, http2, ...place(host, url.port === '' ? defaultPort : Number(url.port), defaultPort) }
}

/** Returns the target in the form that a person writes. */
export function targetText(target: HttpTarget): string {
  if (target.kind === 'unix') return `${target.http2 ? 'unix+h2c' : 'unix'}:${target.path}`
  for (const [name, { kind, http2 }] of SCHEMES) {
    if (kind === target.kind && http2 === target.http2) return `${name}://${target.authority}`
  }
  return target.authority
}

function unknownScheme(name: string, rest: string, text: string): string {
  const instead = OTHER_WORDS.get(name)
  if (instead !== undefined) return `"${text}" has the scheme ${name}://; write ${instead}://${rest}`
  const use = 'http://, https://, or for HTTP/2 h2c:// (cleartext) and h2:// (TLS)'
  return `"${text}" has the scheme ${name}://, which is not supported: use ${use}`
}

function place(host: string, number: number, defaultPort: number) {
  const bracketed = host.includes(':') ? `[${host}]` : host
  return { host, port: number, authority: number === defaultPort ? bracketed : `${bracketed}:${number}` }
}

function port(digits: string, text: string): number {
  const number = /^[0-9]{1,5}$/.test(digits) ? Number(digits) : 0
  if (number < 1 || number > 65_535) throw new Error(`"${text}" has no usable port: a port is 1 to 65535`)
  return number
}

function unixTarget(path: string, http2: boolean, text: string): HttpTarget {
  const absolute = path.replace(/^\/\/(?=\/)/, '')
  const form = http2 ? 'unix+h2c:/path.sock' : 'unix:/path.sock'
  if (!absolute.startsWith('/')) throw new Error(`"${text}" needs an absolute path: ${form}`)
  return { kind: 'unix', http2, path: absolute, authority: 'localhost' }
}
