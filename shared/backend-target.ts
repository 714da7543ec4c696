// Where a backend listens: `http://host:port`, `https://host:port` or `unix:/path.sock`, parsed once at start.
// Shorter forms that people type (`3000`, `localhost:3000`) are understood here too.

export type HttpTarget =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly authority: string }
  | { readonly kind: 'tls'; readonly host: string; readonly port: number; readonly authority: string }
  | { readonly kind: 'unix'; readonly path: string; readonly authority: string }

/** Reads a target. Throws an Error whose message says in one line what to write instead. */
export function parseTarget(text: string): HttpTarget {
  const trimmed = text.trim()
  if (trimmed.startsWith('unix:')) return unixTarget(trimmed.slice('unix:'.length), text)
  if (/^[0-9]+$/.test(trimmed)) return { kind: 'tcp', ...place('localhost', port(trimmed, text), 80) }
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed) ? trimmed : `http://${trimmed}`
  const written = /^[^/]*\/\/(?:\[[^\]]*\]|[^:/?#@]*):([^/?#@]*)(?:[/?#]|$)/.exec(withScheme)?.[1]
  if (written !== undefined) port(written, text)
  let url: URL
  try {
    url = new URL(withScheme)
  } catch (cause) {
    throw new Error(`"${text}" is not a target: use a port, host:port, a URL or unix:/path.sock`, { cause })
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new Error(`"${text}" has the scheme ${url.protocol}// but a target speaks http:// or https://`)
  }
  if (url.username !== '' || url.password !== '')
    throw new Error('a target cannot hold a user name or a password')
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw new Error(
      `"${text}" has a path; a target is only scheme, host and port (paths are the mount's matter)`,
    )
  }
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const secure = url.protocol === 'https:'
  const defaultPort = secure ? 443 : 80
  const number = url.port === '' ? defaultPort : Number(url.port)
  return { kind: secure ? 'tls' : 'tcp', ...place(host, number, defaultPort) }
}

/** The target as a person would write it. */
export function targetText(target: HttpTarget): string {
  if (target.kind === 'unix') return `unix:${target.path}`
  return `${target.kind === 'tls' ? 'https' : 'http'}://${target.authority}`
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

function unixTarget(path: string, text: string): HttpTarget {
  const absolute = path.replace(/^\/\/(?=\/)/, '')
  if (!absolute.startsWith('/')) throw new Error(`"${text}" needs an absolute path: unix:/path.sock`)
  return { kind: 'unix', path: absolute, authority: 'localhost' }
}
