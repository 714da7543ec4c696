// The decision of a Plugboard whether a request is traced (PROTOCOL.md, "Traces"). The flag in traceparent is not enough, because a
// request that is not traced keeps the traceparent of its client. Owners of streams see the decision as `Opening.traced`, never as
// a field.

import type { Fields, Opening } from './streams/stream.ts'

/** The receiver of a stream understands the mark. */
export const TRACE_FEATURE = 'trace'
/** The opener of streams decides which requests are traced: a stream without the mark is not. */
export const TRACES_FEATURE = 'traces'
const TRACE_FIELD = 'Plugboard-Traced'

/** Returns the opening for a peer with the feature. */
export function withTraceMark(opening: Opening): Opening {
  return { ...opening, fields: [...opening.fields, TRACE_FIELD, '1'] }
}

/** Removes the mark from the fields of an OPEN. Returns true when it was there. */
export function takeTraceMark(fields: Fields): boolean {
  if (fields.at(-2) !== TRACE_FIELD) return false
  fields.length -= 2
  return true
}
