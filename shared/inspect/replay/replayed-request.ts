// The request of a replay: the captured request with the edits of a person. Masked values are left out unless the person gives them, so
// a replay never sends `***`.

import { METHODS } from 'node:http'
import { nominatedFields } from '../../http/headers.ts'
import { fieldValue } from '../../masking/field-pairs.ts'
import { hasMask } from '../../masking/has-mask.ts'
import type { CapturedExchange } from '../captured-exchange.ts'
import { unmaskedPairs, unmaskedTarget } from '../exchange-parts.ts'
import { isNotRepeated, NOT_REPEATED } from './not-repeated.ts'
import type { ReplayEdits } from './replay-edits.ts'
import { unmaskedJson } from './unmasked-json.ts'

export interface ReplayedRequest {
  readonly method: string
  readonly target: string
  readonly host: string
  /** Names and values, alternating, without Host and without fields of the connection. */
  readonly fields: string[]
  /** Undefined: no body. */
  readonly body: Buffer | undefined
  /** The masked values that are left out: names of fields and parameters, and pointers into a JSON body. */
  readonly leftOut: readonly string[]
}

/** An exchange that cannot be replayed, or cannot be replayed without an edit at `path`. */
export class ReplayProblem extends Error {
  readonly path: readonly string[]

  constructor(path: readonly string[], message: string) {
    super(message)
    this.name = 'ReplayProblem'
    this.path = path
  }
}

/** A person cannot set these fields: they frame the request. */
const FRAMING: ReadonlySet<string> = new Set(
  [...NOT_REPEATED].filter(name => !/^(?:x-request-id|trace)/.test(name)),
)
const KNOWN_METHODS: ReadonlySet<string> = new Set(METHODS.filter(method => method !== 'CONNECT'))

/** Throws ReplayProblem. */
export function replayedRequest(exchange: CapturedExchange, edits: ReplayEdits): ReplayedRequest {
  const { received, request, sent } = exchange
  if (sent?.status === 101 || fieldValue(received.fields, 'upgrade') !== undefined)
    throw new ReplayProblem([], 'An upgraded connection, such as a WebSocket, cannot be replayed.')
  const method = edits.method ?? received.method
  if (!KNOWN_METHODS.has(method))
    throw new ReplayProblem(['method'], `is not a method that can be replayed: "${method}"`)
  const leftOut: string[] = []
  const target = edits.target ?? targetOf(received.target, leftOut)
  const fields = fieldsOf(exchange, edits, leftOut)
  const body = bodyOf(exchange, edits, leftOut)
  return {
    method,
    target,
    host: fieldValue(received.fields, 'host') ?? request.host,
    fields,
    body: body === undefined ? undefined : Buffer.from(body),
    leftOut,
  }
}

function targetOf(target: string, leftOut: string[]): string {
  const plain = unmaskedTarget(target)
  if (plain === undefined)
    throw new ReplayProblem(['target'], 'is required, because the path of the exchange has masked parts')
  leftOut.push(...plain.leftOut)
  return plain.target
}

function fieldsOf(
  { received }: CapturedExchange,
  { fields: edits = {} }: ReplayEdits,
  leftOut: string[],
): string[] {
  const given = new Map<string, readonly [name: string, value: string | null]>()
  for (const [name, value] of Object.entries(edits)) {
    if (FRAMING.has(name.toLowerCase()))
      throw new ReplayProblem(['fields', name], 'frames the request, so Plugboard sets it')
    given.set(name.toLowerCase(), [name, value])
  }
  const fields: string[] = []
  const ofConnection = fieldsOfConnection(received)
  for (const [name, value] of received.fields) {
    const key = name.toLowerCase()
    if (given.has(key) || isNotRepeated(key) || ofConnection.has(key)) continue
    if (hasMask(name) || hasMask(value)) leftOut.push(name)
    else fields.push(name, value)
  }
  for (const [name, value] of given.values()) if (value !== null) fields.push(name, value)
  return fields
}

/** Returns the names that the fields Connection of the client list. They did not reach the backend. */
function fieldsOfConnection({ fields }: CapturedExchange['received']): ReadonlySet<string> {
  const values = fields.filter(([name]) => name.toLowerCase() === 'connection').map(([, value]) => value)
  return new Set(values.flatMap(value => nominatedFields(value) ?? []))
}

/** Returns undefined for a request without a body. */
function bodyOf({ received }: CapturedExchange, edits: ReplayEdits, leftOut: string[]): string | undefined {
  const { body, fields } = received
  if (edits.body !== undefined) return edits.body ?? undefined
  if (body === null) return undefined
  if (body.text === null || body.isCut) {
    const reason = body.omitted === null ? 'it is too long' : body.omitted
    throw new ReplayProblem(
      ['body'],
      `is required: the exchange lacks a part of the body (${reason}); null sends none`,
    )
  }
  if (!hasMask(body.text)) return body.text
  const type = fieldValue(fields, 'content-type') ?? ''
  if (/^application\/x-www-form-urlencoded/i.test(type)) {
    const { text, leftOut: names } = unmaskedPairs(body.text)
    leftOut.push(...names)
    return text
  }
  const json = unmaskedJson(body.text)
  if (json === undefined)
    throw new ReplayProblem(['body'], 'is required: the body of the exchange has masked values')
  leftOut.push(...json.leftOut)
  return json.text
}
