// The names of header fields, parameters, form fields and JSON members whose values are masked. A name is compared without case and
// without separators, so `X-Api-Key`, `api_key` and `apiKey` are one name. A name that is masked by mistake costs little; a secret
// that is shown costs much, so the list is wide.

/** A name that contains one of these is the name of a secret. `pass` counts at the end only: a passenger is no secret. */
const PARTS =
  /token|secret|key|password|passwd|passphrase|passcode|session|sessid|credential|authorization|cookie|signature|csrf|xsrf|jwt|assertion|samlresponse|samlrequest|pwd|pass$/
/** These names are too short to be searched within longer ones. */
const NAMES: ReadonlySet<string> = new Set([
  'auth',
  'xauth',
  'pw',
  'sid',
  'sig',
  'hmac',
  'otp',
  'totp',
  'mfa',
  'pin',
  'cvv',
  'cvc',
  'ssn',
  'nonce',
])

/** True for the name of a secret. Results are not cached, because a word of a text may be a secret itself. */
export function isSecretName(name: string): boolean {
  const plain = name.toLowerCase().replace(/[^a-z0-9]/g, '')
  return NAMES.has(plain) || PARTS.test(plain)
}

/** Also true for `code`, the parameter of an OAuth redirect. In JSON, `code` is mostly the code of an error. */
export function isSecretParameter(name: string): boolean {
  return isSecretName(name) || name.toLowerCase() === 'code'
}
