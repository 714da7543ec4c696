// Whether a client accepts a content coding, from its field Accept-Encoding.

/** `coding`: in lower case. True when the field lists it, with a quality other than 0 (RFC 9110 section 12.5.3). */
export function acceptsCoding(field: string | undefined, coding: 'br' | 'gzip'): boolean {
  return (field ?? '').split(',').some(each => {
    const [name = '', ...parameters] = each.split(';').map(part => part.trim().toLowerCase())
    return name === coding && !parameters.some(parameter => /^q=0(\.0*)?$/.test(parameter))
  })
}
