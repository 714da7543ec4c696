// Whether a client accepts a response in gzip, from its field Accept-Encoding.

/** True when the field lists gzip, with a quality other than 0 (RFC 9110 section 12.5.3). */
export function acceptsGzip(field = ''): boolean {
  return field.split(',').some(each => {
    const [coding = '', ...parameters] = each.split(';').map(part => part.trim().toLowerCase())
    return coding === 'gzip' && !parameters.some(parameter => /^q=0(\.0*)?$/.test(parameter))
  })
}
