// Masks the secrets of a text without a known structure: values that follow the name of a secret (`token=…`, `"token": "…"`, `password: …`,
// `<password>…`), passwords of URLs, JWTs, API keys and credentials. Foreign parties choose the text, so each expression below reads
// a character a bounded number of times.

import { redact } from '../log/redact.ts'
import { isSecretName } from './secret-names.ts'
import type { MaskValue } from './value-mask.ts'

/** A name of a field, a parameter, a member or an element. */
const NAME = /[A-Za-z0-9_.$[\]-]+/g
/** The characters between a name and its value. JSON within JSON has escaped quotes. */
const SEPARATOR = /\\?["']?[ \t]*[:=]>?[ \t\r\n]{0,64}/y
const VALUE = /\\?"(?:[^"\\]|\\[^"])*|\\?'(?:[^'\\]|\\[^'])*|[^\s&;,"'<>)}\]\\]+/y
const LINE = /[^\r\n]+/y
const ELEMENT = /[^<>]{0,256}>([^<]*)/y
const QUOTES = /^\\?["']/
/** The whole rest of the line is the value of these fields. */
const WHOLE_LINE = /^(?:proxy-)?authorization$|cookie$/i
const MASKED = /^\*\*\*[0-9a-f]{6}$/

export function maskText(text: string, mask: MaskValue): string {
  const named = MAY_NAME.test(text) ? maskNamed(text, mask) : text
  return redact(maskUserInfo(named, mask), secret => maskOnce(secret, mask))
}

/** In a text without these characters, no value follows a name. */
const MAY_NAME = /[:=<]/

function maskNamed(text: string, mask: MaskValue): string {
  let masked = ''
  let kept = 0
  NAME.lastIndex = 0
  for (let found = NAME.exec(text); found !== null; found = NAME.exec(text)) {
    const [name] = found
    const end = found.index + name.length
    if (!mayHaveValue(text, found.index, end) || (name.length <= MAX_NAME && !isSecretName(name))) continue
    const value = valueBehind(text, name, end)
    if (value === undefined) continue
    const [start, stop] = value
    masked += text.slice(kept, start) + maskOnce(text.slice(start, stop), mask)
    kept = stop
    NAME.lastIndex = Math.max(stop, end)
  }
  return masked + text.slice(kept)
}

/** True when a value can follow the name, by the characters around it. Excludes most words of a text at low cost. */
function mayHaveValue(text: string, start: number, end: number): boolean {
  return text.charCodeAt(start - 1) === LESS_THAN || BEFORE_VALUE.includes(text.charAt(end))
}

const LESS_THAN = 0x3c
const BEFORE_VALUE = ':="\'\\ \t'

/** A longer name is not read. It counts as the name of a secret, so that a long name cannot prevent masking. */
const MAX_NAME = 256

/** Returns the place of the value; undefined: no value follows the name. */
function valueBehind(
  text: string,
  name: string,
  end: number,
): readonly [start: number, end: number] | undefined {
  const before = text.charAt(end - name.length - 1)
  if (before === '<') {
    const element = matchAt(ELEMENT, text, end)
    if (element?.[1] === undefined || element[1].trim() === '') return undefined
    const stop = end + element[0].length
    return [stop - element[1].length, stop]
  }
  const separator = matchAt(SEPARATOR, text, end)
  if (separator === null) return undefined
  const start = end + separator[0].length
  const value = matchAt(WHOLE_LINE.test(name) ? LINE : VALUE, text, start)
  if (value === null) return undefined
  const quote = WHOLE_LINE.test(name) ? 0 : (QUOTES.exec(value[0])?.[0].length ?? 0)
  const stop = start + value[0].length
  return stop === start + quote ? undefined : [start + quote, stop]
}

function matchAt(expression: RegExp, text: string, index: number): RegExpExecArray | null {
  expression.lastIndex = index
  return expression.exec(text)
}

/** Masks the user information of URLs: `https://user:password@host`, `https://token@host`. */
function maskUserInfo(text: string, mask: MaskValue): string {
  let masked = ''
  let kept = 0
  for (let at = text.indexOf('://'); at !== -1; at = text.indexOf('://', at + 3)) {
    const start = at + 3
    const authority = matchAt(AUTHORITY, text, start)?.[0] ?? ''
    const length = authority.lastIndexOf('@')
    if (length <= 0 || start < kept) continue
    masked += text.slice(kept, start) + maskOnce(authority.slice(0, length), mask)
    kept = start + length
  }
  return masked + text.slice(kept)
}

const AUTHORITY = /[^\s"'<>/\\?#]{0,1024}/y

/** Returns the masked form of the value, and a masked value unchanged. */
export function maskOnce(value: string, mask: MaskValue): string {
  return MASKED.test(value) ? value : mask(value)
}

/** Masks the values of form elements (`<input name="csrf_token" value="…">`) in a tag that names a secret. */
export function maskHtml(html: string, mask: MaskValue): string {
  let masked = ''
  let kept = 0
  for (let start = html.indexOf('<'); start !== -1; start = html.indexOf('<', kept)) {
    const close = html.indexOf('>', start)
    const end = close === -1 ? html.length : close + 1
    const tag = html.slice(start, end)
    masked += html.slice(kept, start) + maskTag(tag, mask)
    kept = end
  }
  return maskText(masked + html.slice(kept), mask)
}

const ATTRIBUTE_VALUE = /\b((?:value|content)\s{0,8}=\s{0,8}["']?)([^"'<>]+)/gi

function maskTag(tag: string, mask: MaskValue): string {
  const names = tag.match(NAME) ?? []
  if (!names.some(isSecretName)) return tag
  return tag.replace(ATTRIBUTE_VALUE, (_, name: string, value: string) => name + mask(value))
}
