// The value of the field tracestate (W3C Trace Context, section 3.3): the data of other tracing systems. Vera-Stack adds no member,
// so a valid list is forwarded as it is.

const MAX_MEMBERS = 32
/** The grammar of level 2, which contains that of level 1. */
const KEY = /^[a-z0-9][a-z0-9_\-*/@]{0,255}$/
/** Up to 256 characters of printable ASCII without comma and equals sign. The last one is no space. */
const VALUE = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/

/** True when the value is a valid list. `text`: all lines, joined by commas. An invalid list must not be forwarded. */
export function isTraceState(text: string): boolean {
  const keys = new Set<string>()
  for (const part of text.split(',')) {
    const member = trimmed(part)
    if (member === '') continue
    const equals = member.indexOf('=')
    const key = member.slice(0, Math.max(equals, 0))
    if (!KEY.test(key) || !VALUE.test(member.slice(equals + 1)) || keys.has(key)) return false
    keys.add(key)
    if (keys.size > MAX_MEMBERS) return false
  }
  return keys.size > 0
}

/** Removes spaces and tabs around a member. A trailing space belongs to no value. */
function trimmed(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text.charCodeAt(start))) start += 1
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}
