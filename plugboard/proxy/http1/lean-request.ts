// The request object of the HTTP/1 server, with a cheap `headers`. Node's server reads a few fields of each request from
// `headers`. Node's own getter builds an object of all fields for that, with each name in lower case. For the fields of a
// browser, this costs as much as the rest of Plugboard's work on them. The proxy itself reads `rawHeaders`.

import { type IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { equalsIgnoringCase } from '@vera-stack/shared/http/headers.ts'

export class LeanRequest extends IncomingMessage {}

// Defined outside of the class body, because TypeScript does not allow an accessor to override the property `headers`.
Object.defineProperty(LeanRequest.prototype, 'headers', {
  get(this: LeanRequest): IncomingHttpHeaders {
    return fieldsForServer(this)
  },
})

function allFields(request: LeanRequest): IncomingHttpHeaders {
  return Reflect.get(IncomingMessage.prototype, 'headers', request) as IncomingHttpHeaders
}

/** Returns the fields that Node's server reads: they announce a body, expect a 100, and accept trailers. */
function fieldsForServer(request: LeanRequest): IncomingHttpHeaders {
  const raw = request.rawHeaders
  const fields: IncomingHttpHeaders = {}
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] as string
    switch (name.length) {
      case 2:
        if (equalsIgnoringCase(name, 'te')) add(fields, 'te', raw[index + 1] as string)
        break
      case 6:
        if (equalsIgnoringCase(name, 'expect')) add(fields, 'expect', raw[index + 1] as string)
        break
      case 7:
        // The WebSocket library reads more fields, but only of upgrade requests.
        if (equalsIgnoringCase(name, 'upgrade')) return allFields(request)
        break
      case 14:
        if (equalsIgnoringCase(name, 'content-length')) fields['content-length'] ??= raw[index + 1]
        break
      case 17:
        if (equalsIgnoringCase(name, 'transfer-encoding'))
          add(fields, 'transfer-encoding', raw[index + 1] as string)
        break
      default:
    }
  }
  return fields
}

function add(fields: IncomingHttpHeaders, name: 'te' | 'expect' | 'transfer-encoding', value: string): void {
  const before = fields[name]
  fields[name] = before === undefined ? value : `${before}, ${value}`
}
