// What the settings may say about a certificate authority, in words.

export type ChallengeType = 'http-01' | 'tls-alpn-01'

const DIRECTORIES: Readonly<Record<string, string>> = {
  letsencrypt: 'https://acme-v02.api.letsencrypt.org/directory',
  'letsencrypt-staging': 'https://acme-staging-v02.api.letsencrypt.org/directory',
}

/** Of a name or a URL; undefined: it is neither. */
export function directoryUrlOf(text: string): string | undefined {
  const known = Object.hasOwn(DIRECTORIES, text) ? DIRECTORIES[text] : undefined
  if (known !== undefined) return known
  return URL.parse(text)?.protocol === 'https:' ? text : undefined
}

export function isChallengeType(text: string): text is ChallengeType {
  return text === 'http-01' || text === 'tls-alpn-01'
}

/** `patterns`: hosts, and `*.example.com` for those with one label before it. */
export function matchesAny(host: string, patterns: readonly string[]): boolean {
  const dot = host.indexOf('.')
  return patterns.some(pattern => pattern === host || (dot > 0 && pattern === `*${host.slice(dot)}`))
}
