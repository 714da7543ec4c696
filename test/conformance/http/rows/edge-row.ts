// The form of one row of the conformance table of plugboard/proxy/EDGE.md: the bytes of a client, the responses that the
// client gets, and the requests that the backend receives. run-row.ts runs a row against a side: the proxy in the test's
// own process (memory-side.ts), or the whole path over sockets and processes (wire-side.ts).

/** `plain` has default settings. `limited` has the settings of LIMITED in edge-routes.ts. */
export type ProxyName = 'plain' | 'limited'
export type SideName = 'memory' | 'wire'
export type FieldPairs = readonly (readonly [name: string, value: string])[]

/** All values of a field, in order. `[]`: the field is absent. */
export type ExpectedFields = Readonly<Record<string, readonly (string | RegExp)[]>>

/** In `send` and in expected values: the name of the cluster in `Via`. */
export const CLUSTER = '<cluster>'

/** In expected values: the host that the Telephone adds for a service with `hostHeader: backend`. */
export const BACKEND = '<backend>'

/** The backend responds to this target at once in every row, with its method, target and body. */
export const BARRIER = '/barrier'

export interface ExpectedResponse {
  readonly status: number
  /** The method of its request, when a response to it has no body. */
  readonly to?: 'HEAD'
  readonly code?: string
  readonly body?: string
  readonly fields?: ExpectedFields
  /** The names of all fields, in order. */
  readonly names?: readonly string[]
  /** Text that the head must not have. */
  readonly lacks?: RegExp
  readonly trailers?: FieldPairs
  /** The interim response before it, with exactly these fields. Absent: no interim response. */
  readonly interim?: { readonly status: number; readonly fields: FieldPairs }
}

export interface ExpectedRequest {
  readonly method?: string
  readonly target?: string
  /** `none`, `chunked` or `length N`. */
  readonly framing?: string
  readonly body?: string
  readonly fields?: ExpectedFields
  /** The names of all fields, without those of framing, in order. */
  readonly names?: readonly string[]
  /** Text that the fields must not have. */
  readonly lacks?: RegExp
  readonly trailers?: FieldPairs
  /** How it ends at the backend. Default: `complete`. */
  readonly state?: 'complete' | 'aborted' | 'any'
  /** True when the request may also end before its head reaches the backend. */
  readonly optional?: boolean
}

/** The response of the backend. Without `status`: 200, with the method, the target and the body of the request as the body. */
export interface BackendBehaviour {
  readonly status?: number
  readonly fields?: FieldPairs
  readonly body?: string
  /** True: the body has no length, and ends with `trailers`. */
  readonly chunked?: boolean
  readonly trailers?: FieldPairs
  readonly interim?: { readonly status: number; readonly fields: FieldPairs }
  /** The backend responds in reverse order, when it has received so many requests. */
  readonly holdUntil?: number
}

export interface EdgeRow {
  /** The row of EDGE.md, then the case. */
  readonly name: string
  /** Bytes on one connection, in latin1. */
  readonly send: string
  readonly proxy?: ProxyName
  readonly backend?: BackendBehaviour
  /** The client ends its half of the connection after the backend has received this part of a body. */
  readonly endAfter?: string
  /** Default: one response with status 200. */
  readonly responses?: readonly ExpectedResponse[]
  /** True when the connection must close after the last response, without a further byte. */
  readonly closes?: boolean
  /** In any order: each one is found by its target, when it has one. */
  readonly received: readonly ExpectedRequest[]
  /** Fields of the access line of the first request. Its id is the one that the client and the backend received. */
  readonly access?: Readonly<Record<string, unknown>>
  /** The only side that can run the row, with the reason. */
  readonly only?: { readonly side: SideName; readonly because: string }
}

export const HOST = 'Host: edge.test\r\n'
export const CHUNKED = 'Transfer-Encoding: chunked\r\n'
export const LAST_CHUNK = '0\r\n\r\n'

/** Returns a request without a body: its line, a Host, further field lines. */
export function get(target = '/', fields = '', host = 'edge.test'): string {
  return `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`
}

export function post(fields: string, body = '', version = '1.1'): string {
  return `POST / HTTP/${version}\r\n${HOST}${fields}\r\n${body}`
}

/** Returns a POST whose chunks are sent as written. */
export function chunked(chunks: string, fields = ''): string {
  return post(`${CHUNKED}${fields}`, chunks)
}

/** A client error: the response, the end of the connection, and no byte for the backend. */
export function refusal(name: string, send: string, status = 400, proxy: ProxyName = 'plain'): EdgeRow {
  const fields = { 'plugboard-error': [/./], connection: ['close'] }
  return { name, send, proxy, responses: [{ status, fields }], closes: true, received: [] }
}
