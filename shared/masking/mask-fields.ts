// Masks header fields and trailers. Fields with the name of a secret are masked as a whole. The names and attributes of cookies and the
// scheme of credentials stay, because they help to find a fault.

import type { FieldPairs } from './field-pairs.ts'
import { maskUrl, type PairMasking } from './mask-pairs.ts'
import { maskText } from './mask-text.ts'
import { isSecretName } from './secret-names.ts'

/** The schemes of credentials that are shown. The first word of any other value may be the secret itself. */
const SCHEMES =
  /^(basic|bearer|digest|negotiate|ntlm|dpop|token|apikey|hoba|mutual|aws4-hmac-sha256) +(\S.*)$/is
const URL_FIELDS: ReadonlySet<string> = new Set([
  'location',
  'content-location',
  'referer',
  'origin',
  'refresh',
  'sourcemap',
  'x-original-url',
  'x-rewrite-url',
  'x-forwarded-uri',
  ':path',
])
/** Fields that carry credentials although their names do not say so. */
const WHOLE: ReadonlySet<string> = new Set([
  'sec-websocket-protocol',
  'x-forwarded-client-cert',
  'client-cert',
  'client-cert-chain',
  'authentication-info',
  'x-amzn-oidc-data',
  'x-goog-iap-jwt-assertion',
])

/** `raw`: names and values, alternating. */
export function maskFields(raw: readonly string[], masking: PairMasking): FieldPairs {
  const pairs: [string, string][] = []
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] as string
    pairs.push([
      maskText(name, masking.mask),
      maskFieldValue(name.toLowerCase(), raw[index + 1] as string, masking),
    ])
  }
  return pairs
}

function maskFieldValue(name: string, value: string, masking: PairMasking): string {
  const { mask, maskString } = masking
  if (value === '') return value
  switch (name) {
    case 'authorization':
    case 'proxy-authorization': {
      const [, scheme, credential] = SCHEMES.exec(value) ?? []
      return scheme === undefined || credential === undefined ? mask(value) : `${scheme} ${mask(credential)}`
    }
    case 'cookie':
      return value
        .split(';')
        .map(pair => maskCookie(pair, masking))
        .join(';')
    case 'set-cookie': {
      const [pair = '', ...attributes] = value.split(';')
      return [maskCookie(pair, masking), ...attributes.map(each => maskString(each))].join(';')
    }
  }
  if (isSecretName(name) || WHOLE.has(name)) return mask(value)
  return URL_FIELDS.has(name) ? maskUrl(value, masking) : maskString(value)
}

function maskCookie(pair: string, { mask, maskString }: PairMasking): string {
  const equals = pair.indexOf('=')
  // A cookie without a name is a value.
  if (equals <= 0) return pair.trim() === '' ? pair : mask(pair.trim())
  const value = pair.slice(equals + 1).trim()
  return `${maskString(pair.slice(0, equals))}=${value === '' ? '' : mask(value)}`
}
