// The fields of a captured request that a replay leaves out. This file has no imports, because the dashboard uses it too.

/** Fields that Plugboard or the Telephone sets itself, that belong to one connection, or that belong to the first request only. */
export const NOT_REPEATED: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'http2-settings',
  'content-length',
  'expect',
  'plugboard-replay',
  'x-request-id',
  'traceparent',
  'tracestate',
])

/** True when a replay leaves out the field of the captured request. The captured body has no content coding. `name`: in lower case. */
export const isNotRepeated = (name: string): boolean => NOT_REPEATED.has(name) || name === 'content-encoding'
