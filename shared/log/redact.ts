// Replaces secrets in text for a log. No log field is meant for a secret, but the text of a foreign error may quote one. The
// scanner is hand-written because peers choose the text: it reads each character of any text a bounded number of times
// (redact.test.ts counts the reads).

/** The part of a string that the scanner uses. Tests pass an object that counts the reads. */
export interface ScannedText {
  readonly length: number
  charCodeAt(index: number): number
  slice(start: number, end: number): string
}

/** A part of the text that is replaced. */
interface Secret {
  readonly start: number
  readonly end: number
  /** The first characters, which are kept. */
  readonly prefix?: string
}

const MASK = '***'
const MIN_JWT_HEADER = 4
const MIN_CREDENTIAL = 8
/** Ends the names of parameters, settings and members of JSON that hold secrets: `accessToken` ends with `token`. */
const SECRET_NAMES = [
  'token',
  'secret',
  'password',
  'passwd',
  'pwd',
  'signature',
  'session',
  'sessionid',
  'apikey',
  'key',
]
const SCHEMES = ['bearer', 'basic']

const SPACE = 0x20
const COLON = 0x3a
const EQUALS = 0x3d
const CAPITAL_J = 0x4a
const UNDERSCORE = 0x5f
const DOT = 0x2e
const SLASH = 0x2f
const AT = 0x40
const DOUBLE_QUOTE = 0x22
const SINGLE_QUOTE = 0x27
const BACKSLASH = 0x5c
/** Marks text that was cut (cut-text.ts). */
const ELLIPSIS = 0x2026

/**
 * Returns the text with `***` in place of JWTs, API keys, credentials, secret parameters and passwords of URLs. `mask`: returns the
 * replacement of a secret instead.
 */
export function redact(text: ScannedText, mask: (secret: string) => string = () => MASK): string {
  let scan: SecretScan | undefined
  let out = ''
  let kept = 0
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    // A secret is found at one of five characters: `_` `J` `=` `:` and blank. Most access lines do not contain them.
    if (code > UNDERSCORE || (code < COLON && code !== SPACE)) continue
    scan ??= new SecretScan(text)
    const secret = scan.at(index, code, kept)
    if (secret === undefined) continue
    const { start, end, prefix = '' } = secret
    out += text.slice(kept, start) + prefix + mask(text.slice(start + prefix.length, end))
    kept = secret.end
    index = secret.end - 1
  }
  return kept === 0 ? text.slice(0, text.length) : out + text.slice(kept, text.length)
}

class SecretScan {
  readonly #text: ScannedText
  /** The run of word characters that ends at this index was scanned and holds no JWT, so it is not scanned again. */
  #plainRunEnd = 0

  constructor(text: ScannedText) {
    this.#text = text
  }

  /** Returns the secret that the character at `index` belongs to. Text before `from` is already in the output. */
  at(index: number, code: number, from: number): Secret | undefined {
    switch (code) {
      case CAPITAL_J:
        return this.#jwt(index, from)
      case UNDERSCORE:
        return this.#apiKey(index, from)
      case SPACE:
        return this.#credential(index, from)
      case EQUALS:
        return this.#parameter(index, from)
      case COLON:
        return this.#urlPassword(index) ?? this.#member(index, from)
      default:
        return undefined
    }
  }

  /** `eyJ….….…`: base64url of `{"`, then a dot. A JWE has five parts; text that was cut may have two. */
  #jwt(index: number, from: number): Secret | undefined {
    if (index < this.#plainRunEnd || !this.#endsWith('eyJ', index, from)) return undefined
    let end = this.#wordEnd(index + 1)
    const header = end - index - 1
    if (header < MIN_JWT_HEADER || this.#code(end) !== DOT || this.#wordEnd(end + 1) === end + 1) {
      this.#plainRunEnd = end
      return undefined
    }
    while (this.#code(end) === DOT) end = this.#wordEnd(end + 1)
    return { start: index - 2, end }
  }

  #apiKey(index: number, from: number): Secret | undefined {
    if (!this.#endsWith('vsk_', index, from)) return undefined
    const end = this.#wordEnd(index + 1)
    return end === index + 1 ? undefined : { start: index - 3, end, prefix: 'vsk_' }
  }

  /** `Bearer …`, `Basic …`. */
  #credential(index: number, from: number): Secret | undefined {
    const scheme = SCHEMES.find(each => this.#endsWith(each, index - 1, from))
    if (scheme === undefined || this.#isWord(index - scheme.length - 1)) return undefined
    let start = index + 1
    while (this.#code(start) === SPACE) start += 1
    let end = start
    while (isCredential(this.#code(end))) end += 1
    return end - start < MIN_CREDENTIAL ? undefined : { start, end }
  }

  /** `?token=…`, `&api_key=…`, `password=…`. */
  #parameter(index: number, from: number): Secret | undefined {
    if (!this.#isSecretName(index - 1, from)) return undefined
    let end = index + 1
    while (isParameterValue(this.#code(end))) end += 1
    return end === index + 1 ? undefined : { start: index + 1, end }
  }

  /** `"token": "…"`, also with single quotes, and as text of JSON within JSON: `\"token\":\"…\"`. */
  #member(index: number, from: number): Secret | undefined {
    let last = index - 1
    while (this.#code(last) === SPACE) last -= 1
    const quote = this.#code(last)
    if (quote !== DOUBLE_QUOTE && quote !== SINGLE_QUOTE) return undefined
    const escaped = this.#code(last - 1) === BACKSLASH
    if (!this.#isSecretName(escaped ? last - 2 : last - 1, from)) return undefined
    let start = index + 1
    while (this.#code(start) === SPACE) start += 1
    if (escaped && this.#code(start) === BACKSLASH) start += 1
    if (this.#code(start) !== quote) return undefined
    start += 1
    let end = start
    for (; end < this.#text.length; end += 1) {
      const code = this.#code(end)
      if (code === quote || code === ELLIPSIS) break
      if (code !== BACKSLASH) continue
      if (escaped && this.#code(end + 1) === quote) break
      end += 1
    }
    end = Math.min(end, this.#text.length)
    return end === start ? undefined : { start, end }
  }

  /** True when the name that ends at `last` is one of a secret. `key` counts only after `?`, `&`, `_` or `-`. */
  #isSecretName(last: number, from: number): boolean {
    const name = SECRET_NAMES.find(each => this.#endsWith(each, last, from))
    if (name !== 'key') return name !== undefined
    const before = this.#code(last - name.length)
    return before === 0x3f || before === 0x26 || before === UNDERSCORE || before === 0x2d
  }

  /** `scheme://user:password@`. In text that was cut, the `@` may be missing. */
  #urlPassword(index: number): Secret | undefined {
    if (this.#code(index + 1) !== SLASH || this.#code(index + 2) !== SLASH || !this.#isWord(index - 1)) {
      return undefined
    }
    let colon = 0
    let at = 0
    let end = index + 3
    for (; isAuthority(this.#code(end)); end += 1) {
      const code = this.#code(end)
      if (code === COLON && colon === 0) colon = end
      if (code === AT) at = end
    }
    if (at === 0 && this.#code(end) === ELLIPSIS) at = end
    return colon === 0 || at <= colon + 1 ? undefined : { start: colon + 1, end: at }
  }

  /** True when `word`, in any case unless it has capitals, ends with the character at `last`. */
  #endsWith(word: string, last: number, from: number): boolean {
    const start = last - word.length + 1
    if (start < from) return false
    for (let offset = 0; offset < word.length; offset += 1) {
      const code = this.#code(start + offset)
      const wanted = word.charCodeAt(offset)
      if (code !== wanted && (code | 0x20) !== wanted) return false
    }
    return true
  }

  #wordEnd(index: number): number {
    let end = index
    while (this.#isWord(end)) end += 1
    return end
  }

  #isWord(index: number): boolean {
    const code = this.#code(index)
    return isAlphanumeric(code) || code === UNDERSCORE || code === 0x2d
  }

  /** Returns the character code at `index`; NaN outside of the text. */
  #code(index: number): number {
    return this.#text.charCodeAt(index)
  }
}

function isAlphanumeric(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a)
}

/** The characters of a token68 (RFC 9110, section 11.2). */
function isCredential(code: number): boolean {
  // `-` `.` `/`, `+` `=` `_` `~`
  return isAlphanumeric(code) || (code >= 0x2d && code <= 0x2f) || '+=_~'.includes(String.fromCharCode(code))
}

/** Up to a blank, a quote, `#`, `&`, `<`, `>` or a backslash. */
function isParameterValue(code: number): boolean {
  return code > SPACE && code !== ELLIPSIS && !`"#&'<>\\`.includes(String.fromCharCode(code))
}

/** Up to a blank, a quote, `#`, `/`, `<`, `>`, `?` or a backslash. */
function isAuthority(code: number): boolean {
  return code > SPACE && code !== ELLIPSIS && !`"#'/<>?\\`.includes(String.fromCharCode(code))
}
