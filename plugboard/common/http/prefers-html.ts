// Content negotiation for the responses that Plugboard creates: an HTML page for people, JSON for programs (RFC 9110, section
// 12.5.1). JSON is the default.

/** True when HTML has a higher quality in Accept than JSON. */
export function prefersHtml(accept: string | undefined): boolean {
  if (accept === undefined || !accept.includes('html')) return false
  let html = 0
  let json = 0
  for (const range of accept.split(',')) {
    const [type = '', ...parameters] = range.split(';').map(part => part.trim().toLowerCase())
    const quality = Number(parameters.find(each => each.startsWith('q='))?.slice(2) ?? '1')
    if (type === 'text/html') html = Math.max(html, quality)
    if (type === 'application/json' || type === 'application/problem+json') json = Math.max(json, quality)
  }
  return html > json
}
