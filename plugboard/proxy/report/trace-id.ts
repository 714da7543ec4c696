// The id of a trace in the field traceparent (W3C Trace Context, level 1, section 3.2).

const TRACE_PARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:$|-)/
const NO_TRACE = '0'.repeat(32)
const NO_PARENT = '0'.repeat(16)

/** Returns undefined for a value that is not valid. */
export function traceIdOf(traceParent: string): string | undefined {
  const [, version, traceId, parentId] = TRACE_PARENT.exec(traceParent.slice(0, MAX_LENGTH)) ?? []
  if (version === undefined || version === 'ff' || traceId === NO_TRACE || parentId === NO_PARENT)
    return undefined
  // Version 00 has no further parts.
  return version === '00' && traceParent.length !== LENGTH ? undefined : traceId
}

/** The length of a value of version 00. */
const LENGTH = 55
const MAX_LENGTH = LENGTH + 1
