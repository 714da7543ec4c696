// Masks the pairs of a query or of a form (application/x-www-form-urlencoded), and the URLs that contain them. A name is compared in its
// decoded form. The spelling of all other parts stays.

import { maskOnce, maskText } from './mask-text.ts'
import { isSecretParameter } from './secret-names.ts'
import type { MaskValue } from './value-mask.ts'

export interface PairMasking {
  readonly mask: MaskValue
  /** Masks the secrets within a value. */
  readonly maskString: (text: string) => string
}

export function maskPairs(text: string, masking: PairMasking): string {
  return text
    .split(/([&;])/)
    .map((part, index) => (index % 2 === 1 || part === '' ? part : maskPair(part, masking)))
    .join('')
}

function maskPair(pair: string, { mask, maskString }: PairMasking): string {
  const equals = pair.indexOf('=')
  const rawName = equals === -1 ? pair : pair.slice(0, equals)
  const name = decoded(rawName)
  const masked = (raw: string, text: string): string => {
    const safe = maskString(text)
    return safe === text ? raw : encodeURIComponent(safe)
  }
  if (equals === -1) return masked(rawName, name)
  const rawValue = pair.slice(equals + 1)
  if (rawValue === '') return `${masked(rawName, name)}=`
  const value = decoded(rawValue)
  return `${masked(rawName, name)}=${isSecretParameter(name) ? maskOnce(value, mask) : masked(rawValue, value)}`
}

/** Returns the text itself when its escapes are invalid. */
function decoded(raw: string): string {
  try {
    return decodeURIComponent(raw.replaceAll('+', ' '))
  } catch {
    return raw
  }
}

/** Masks a request target or a URL: user information, parameters of the path, query and fragment. */
export function maskUrl(url: string, masking: PairMasking): string {
  const end = url.search(/[?#]/)
  const path = end === -1 ? url : url.slice(0, end)
  const rest = end === -1 ? '' : url.slice(end)
  const parts = rest.split(/([?#])/).map((part, index) => (index % 2 === 1 ? part : maskPairs(part, masking)))
  return maskText(maskPathParameters(path, masking), masking.mask) + parts.join('')
}

/** Masks `/cart;jsessionid=…`. */
function maskPathParameters(path: string, masking: PairMasking): string {
  if (!path.includes(';')) return path
  return path
    .split('/')
    .map(segment => (segment.includes(';') ? maskPairs(segment, masking) : segment))
    .join('/')
}
