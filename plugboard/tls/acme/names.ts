// The names that settings can use for certificate authorities, challenges and hosts.

export type ChallengeType = 'http-01' | 'tls-alpn-01'

const DIRECTORIES: Readonly<Record<string, string>> = {
  letsencrypt: 'https://acme-v02.api.letsencrypt.org/directory',
  'letsencrypt-staging': 'https://acme-staging-v02.api.letsencrypt.org/directory',
}

/** Returns the directory URL for a name or an https URL; undefined for any other text. */
export function directoryUrlOf(text: string): string | undefined {
  const known = Object.hasOwn(DIRECTORIES, text) ? DIRECTORIES[text] : undefined
  if (known !== undefined) return known
  return URL.parse(text)?.protocol === 'https:' ? text : undefined
}

export function isChallengeType(text: string): text is ChallengeType {
  return text === 'http-01' || text === 'tls-alpn-01'
}

/** True when a pattern matches the host. `patterns`: hosts, or `*.example.com` for hosts with one label before `.example.com`. */
export function matchesAny(host: string, patterns: readonly string[]): boolean {
  const dot = host.indexOf('.')
  return patterns.some(pattern => pattern === host || (dot > 0 && pattern === `*${host.slice(dot)}`))
}
