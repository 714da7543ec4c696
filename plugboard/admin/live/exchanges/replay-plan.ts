// Makes the request of a replay from an exchange and the edits of a person. Masked values are left out unless the person gives them, so a
// replay never sends `***`. Throws `invalid_request` with the place of a fault.

import { METHODS } from 'node:http'
import { nominatedFields } from '@vera-stack/shared/http/headers.ts'
import type { CapturedExchange } from '../../../observe/exchanges/captured-exchange.ts'
import type { CaptureRules } from '../../../observe/exchanges/exchange-capture.ts'
import type { ReplayRequest } from '../../../observe/exchanges/replay-types.ts'
import { fieldValue } from '../../../observe/masking/field-pairs.ts'
import { hasMask } from '../../../observe/masking/has-mask.ts'
import type { ReplayInput } from '../../bodies/requests/replay.ts'
import { refuseProblems } from '../../http/problem.ts'
import { unmaskedPairs, unmaskedTarget } from './exchange-parts.ts'
import { unmaskedJson } from './unmasked-json.ts'

export interface ReplayPlan {
  readonly request: ReplayRequest
  /** The masked values that are left out: names of fields and parameters, and pointers into a JSON body. */
  readonly leftOut: readonly string[]
}

/** Fields that Plugboard sets itself, that belong to one connection, or that belong to the first request only. */
const NOT_REPEATED: ReadonlySet<string> = new Set([
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
  'x-request-id',
  'traceparent',
  'tracestate',
])
/** A person cannot set these fields: they frame the request. */
const FRAMING: ReadonlySet<string> = new Set(
  [...NOT_REPEATED].filter(name => !/^(?:x-request-id|trace)/.test(name)),
)
const KNOWN_METHODS: ReadonlySet<string> = new Set(METHODS.filter(method => method !== 'CONNECT'))

/** `rules`: those of the service now, whose `maskJson` applies in addition to that of the exchange. */
export function replayPlan(exchange: CapturedExchange, edits: ReplayInput, rules: CaptureRules): ReplayPlan {
  const { received, request, scheme, sent } = exchange
  if (sent?.status === 101 || fieldValue(received.fields, 'upgrade') !== undefined)
    refuse([], 'An upgraded connection, such as a WebSocket, cannot be replayed.')
  const method = edits.method ?? received.method
  if (!KNOWN_METHODS.has(method)) refuse(['method'], `is no method that can be replayed: "${method}"`)
  const leftOut: string[] = []
  const target = edits.target ?? targetOf(received.target, leftOut)
  const fields = fieldsOf(exchange, edits, leftOut)
  const body = bodyOf(exchange, edits, leftOut)
  return {
    leftOut,
    request: {
      exchange: exchange.id,
      serviceId: exchange.serviceId,
      scheme: scheme === 'https' ? 'https' : 'http',
      host: fieldValue(received.fields, 'host') ?? request.host,
      method,
      target,
      fields,
      body: body === undefined ? undefined : Buffer.from(body),
      clientAddress: request.remoteAddress,
      telephone: edits.telephone,
      rules: {
        maxBodyBytes: rules.maxBodyBytes,
        maskJson: [...new Set([...exchange.maskJson, ...rules.maskJson])],
      },
    },
  }
}

function targetOf(target: string, leftOut: string[]): string {
  const plain = unmaskedTarget(target)
  if (plain === undefined)
    return refuse(['target'], 'is required, because the path of the exchange has masked parts')
  leftOut.push(...plain.leftOut)
  return plain.target
}

function fieldsOf(
  { received }: CapturedExchange,
  { fields: edits = {} }: ReplayInput,
  leftOut: string[],
): string[] {
  const given = new Map<string, readonly [name: string, value: string | null]>()
  for (const [name, value] of Object.entries(edits)) {
    if (FRAMING.has(name.toLowerCase())) refuse(['fields', name], 'frames the request, so Plugboard sets it')
    given.set(name.toLowerCase(), [name, value])
  }
  const fields: string[] = []
  const ofConnection = fieldsOfConnection(received)
  for (const [name, value] of received.fields) {
    const key = name.toLowerCase()
    // The captured body has no content coding.
    if (given.has(key) || NOT_REPEATED.has(key) || ofConnection.has(key) || key === 'content-encoding')
      continue
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
function bodyOf({ received }: CapturedExchange, edits: ReplayInput, leftOut: string[]): string | undefined {
  const { body, fields } = received
  if (edits.body !== undefined) return edits.body ?? undefined
  if (body === null) return undefined
  if (body.text === null || body.isCut) {
    const reason = body.omitted === null ? 'it is too long' : body.omitted
    return refuse(['body'], `is required: the exchange lacks a part of the body (${reason}); null sends none`)
  }
  if (!hasMask(body.text)) return body.text
  const type = fieldValue(fields, 'content-type') ?? ''
  if (/^application\/x-www-form-urlencoded/i.test(type)) {
    const { text, leftOut: names } = unmaskedPairs(body.text)
    leftOut.push(...names)
    return text
  }
  const json = unmaskedJson(body.text)
  if (json === undefined) return refuse(['body'], 'is required: the body of the exchange has masked values')
  leftOut.push(...json.leftOut)
  return json.text
}

function refuse(path: readonly string[], message: string): never {
  refuseProblems([{ path, message }])
  throw new Error('refuseProblems throws for a problem')
}
