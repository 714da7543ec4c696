// The value of the field traceparent (W3C Trace Context level 1, section 3.2). The random flag of level 2 is kept. A check
// creates no object, because it also runs for requests that are not traced.
//
//   00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
//   version · trace id · id of the parent span · flags

export const TRACE_PARENT = 'traceparent'
export const TRACE_STATE = 'tracestate'

/** The flag of a trace that is recorded. */
export const SAMPLED = 1
/** The flag of a trace id whose last 7 bytes are random (level 2). */
export const RANDOM = 2

/** The length of a value of version 00. */
const LENGTH = 55
const DASH = 0x2d

/** True when the value is valid: version 00, or a later one that begins in the same way. */
export function isTraceParent(text: string): boolean {
  if (text.length < LENGTH) return false
  const [versionEnd, traceEnd, spanEnd] = [2, 35, 52]
  for (let index = 0; index < LENGTH; index += 1) {
    const code = text.charCodeAt(index)
    const isSeparator = index === versionEnd || index === traceEnd || index === spanEnd
    if (isSeparator ? code !== DASH : !isHexDigit(code)) return false
  }
  if (isZero(text, versionEnd + 1, traceEnd) || isZero(text, traceEnd + 1, spanEnd)) return false
  if (text.startsWith('ff')) return false
  // A later version may have further parts.
  return text.length === LENGTH || (!text.startsWith('00') && text.charCodeAt(LENGTH) === DASH)
}

/** Returns the trace id of a valid value: 32 hex digits. */
export function traceIdOf(traceParent: string): string {
  return traceParent.slice(3, 35)
}

/** Returns the id of the span that sent a valid value: 16 hex digits. */
export function spanIdOf(traceParent: string): string {
  return traceParent.slice(36, 52)
}

/** Returns the flags of a valid value that this version knows. */
export function flagsOf(traceParent: string): number {
  return Number.parseInt(traceParent.slice(53, 55), 16) & (SAMPLED | RANDOM)
}

/** True when the sender of a valid value records the trace. */
export function isSampled(traceParent: string): boolean {
  return (flagsOf(traceParent) & SAMPLED) !== 0
}

/** Returns a value of version 00. `flags`: SAMPLED and RANDOM. */
export function traceParentText(traceId: string, spanId: string, flags: number): string {
  return `00-${traceId}-${spanId}-0${flags}`
}

/** Upper case is not valid. */
function isHexDigit(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66)
}

function isZero(text: string, from: number, to: number): boolean {
  for (let index = from; index < to; index += 1) if (text.charCodeAt(index) !== 0x30) return false
  return true
}
