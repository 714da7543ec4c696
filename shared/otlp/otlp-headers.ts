// The setting `otlpHeaders`: the fields that each request to a receiver of OTLP has, such as its credential. An item is
// `name=value`. A value may have %xx for characters that a list cannot contain, as in OTEL_EXPORTER_OTLP_HEADERS.

export type OtlpHeaders = Readonly<Record<string, string>>

const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
/** The sender of the request sets these fields. */
const RESERVED: ReadonlySet<string> = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'host',
  'transfer-encoding',
])

/** Returns the problem of the first wrong item, or undefined. The text has no part of a value, because values are secret. */
export function otlpHeadersProblem(items: readonly string[]): string | undefined {
  for (const [index, item] of items.entries()) {
    const [name, value] = parsed(item)
    const place = `item ${index + 1} of the list`
    if (name === '' || !FIELD_NAME.test(name))
      return `${place} is not name=value, such as authorization=Basic%20…`
    if (RESERVED.has(name)) return `${place} sets ${name}, which Vera-Stack sets itself: remove it`
    if (value === undefined || !FIELD_VALUE.test(value))
      return `the value of ${name} cannot be sent: write a percent sign as %25, a comma as %2C, and no control characters`
  }
  return undefined
}

/** Returns the fields of valid items, with their names in lower case. The last item of a name counts. */
export function otlpHeadersOf(items: readonly string[]): OtlpHeaders {
  return Object.fromEntries(items.map(item => parsed(item) as [string, string]))
}

/** `name`: empty without `=`. `value`: undefined when it has a wrong escape. */
function parsed(item: string): [name: string, value: string | undefined] {
  const equals = item.indexOf('=')
  if (equals === -1) return ['', undefined]
  const name = item.slice(0, equals).trim().toLowerCase()
  try {
    return [name, decodeURIComponent(item.slice(equals + 1).trim())]
  } catch {
    return [name, undefined]
  }
}
