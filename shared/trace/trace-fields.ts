// The trace context in a list of fields: names and values, alternating.

import { equalsIgnoringCase, removeFields } from '../http/headers.ts'
import { TRACE_PARENT, TRACE_STATE } from './trace-parent.ts'

/** Returns the unchecked value of traceparent; empty without one, and when the field occurs more than once. */
export function traceParentOf(fields: readonly string[]): string {
  const lines = linesOf(fields, TRACE_PARENT)
  return lines.length === 1 ? (lines[0] as string) : ''
}

/** Returns the unchecked lines of tracestate, joined by commas; empty without one. */
export function traceStateOf(fields: readonly string[]): string {
  return linesOf(fields, TRACE_STATE).join()
}

/** Replaces the trace context. An empty `traceState` adds no tracestate. */
export function setTraceFields(fields: string[], traceParent: string, traceState: string): void {
  removeFields(fields, [TRACE_PARENT, TRACE_STATE])
  fields.push(TRACE_PARENT, traceParent)
  if (traceState !== '') fields.push(TRACE_STATE, traceState)
}

/** Replaces the value of a field that `setTraceFields` has added. A list without it stays as it is. */
export function writeTraceParent(fields: string[], value: string): void {
  for (let index = 0; index < fields.length; index += 2) {
    if (fields[index] === TRACE_PARENT) {
      fields[index + 1] = value
      return
    }
  }
}

function linesOf(fields: readonly string[], name: string): string[] {
  const lines: string[] = []
  for (let index = 0; index < fields.length; index += 2) {
    if (equalsIgnoringCase(fields[index] as string, name)) lines.push(fields[index + 1] as string)
  }
  return lines
}
