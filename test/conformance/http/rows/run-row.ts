// Runs one row of the table of EDGE.md against a side, and compares the responses and the requests of the backend.

import { expect } from 'vitest'
import { field, RawConnection, type RawResponse, rawExchange } from '../../../support/http/raw-connection.ts'
import {
  BACKEND,
  BARRIER,
  type BackendBehaviour,
  CLUSTER,
  type EdgeRow,
  type ExpectedFields,
  type ExpectedRequest,
  type ExpectedResponse,
  type FieldPairs,
  get,
  type ProxyName,
} from './edge-row.ts'

/** A request as the backend received it. */
export interface ReceivedRequest {
  readonly method: string
  readonly target: string
  readonly framing: string
  /** All fields except those of framing, in order. */
  readonly fields: FieldPairs
  /** The body and the trailers are complete when it resolves. */
  readonly ended: Promise<'complete' | 'aborted'>
  readonly body: () => string
  readonly trailers: () => FieldPairs
}

/** The two ends of a row: the port for clients, and the requests at the backend. */
export interface EdgeSide {
  port(proxy: ProxyName): number
  /** The name of the cluster of `plain` in `Via`. */
  readonly cluster: string
  /** The value of BACKEND. */
  readonly backend: string
  /** Removes the requests of earlier rows. */
  reset(behaviour: BackendBehaviour): void
  /** The requests at the backend since `reset`, in order. */
  received(): readonly ReceivedRequest[]
  /** Resolves when the backend has received a request, and this part of a body. */
  untilBody(part: string): Promise<void>
  /** The access line of a request. */
  accessLine(proxy: ProxyName, requestId: string): Promise<object>
}

export async function runRow(side: EdgeSide, row: EdgeRow): Promise<void> {
  const { proxy = 'plain', responses = [{ status: 200 }] } = row
  const port = side.port(proxy)
  side.reset(row.backend ?? {})
  const connection = await RawConnection.open(port)
  const read: RawResponse[] = []
  try {
    await connection.send(row.send.replaceAll(CLUSTER, side.cluster))
    if (row.endAfter !== undefined) {
      await side.untilBody(row.endAfter)
      connection.end()
    }
    for (const expected of responses) {
      const response = await connection.readResponse(expected.to)
      compareResponse(side, response, expected)
      read.push(response)
    }
    if (row.closes === true) expect((await connection.readToEnd()).toString('latin1')).toBe('')
  } finally {
    connection.destroy()
  }
  await passBarrier(port)
  const received = side.received().filter(({ target }) => target !== BARRIER)
  const unmatched = [...received]
  for (const expected of row.received) {
    // Pipelined requests reach the backend over several connections, in any order.
    const index = unmatched.findIndex(
      each => expected.target === undefined || each.target === expected.target,
    )
    const [request] = index < 0 ? [] : unmatched.splice(index, 1)
    if (request !== undefined) await compareRequest(side, request, expected)
    else expect(expected.optional, `the request ${expected.target ?? ''} reaches the backend`).toBe(true)
  }
  expect(unmatched.map(({ target }) => target)).toEqual([])
  if (row.access === undefined) return
  const [id = ''] = valuesOf(received[0]!.fields, 'x-request-id')
  expect(field(read[0]!.headers, 'x-request-id')).toBe(id)
  expect(await side.accessLine(proxy, id)).toMatchObject({ requestId: id, ...row.access })
}

/** Sends a request behind those of the row. When it gets its response, the others have reached the backend. */
export async function passBarrier(port: number): Promise<void> {
  expect((await rawExchange(port, get(BARRIER, '', 'neighbour.test'))).body.toString()).toBe(
    `GET ${BARRIER} `,
  )
}

function compareResponse(side: EdgeSide, response: RawResponse, expected: ExpectedResponse): void {
  const { status, code, body, fields, names, lacks, trailers, interim } = expected
  expect(response.status, response.head + response.body).toBe(status)
  expect(response.complete).toBe(true)
  expect(response.interim.map(each => ({ status: each.status, fields: each.headers }))).toEqual(
    interim === undefined ? [] : [interim],
  )
  if (code !== undefined) expect(field(response.headers, 'plugboard-error')).toBe(code)
  if (body !== undefined) expect(response.body.toString('latin1')).toBe(body)
  compareFields(side, response.headers, fields)
  if (names !== undefined) expect(response.headers.map(([name]) => name)).toEqual(names)
  if (lacks !== undefined) expect(response.head).not.toMatch(lacks)
  if (trailers !== undefined) expect(response.trailers).toEqual(trailers)
}

async function compareRequest(
  side: EdgeSide,
  request: ReceivedRequest,
  expected: ExpectedRequest,
): Promise<void> {
  const { method, target, framing, body, fields, names, lacks, trailers, state = 'complete' } = expected
  const end = await request.ended
  if (state !== 'any') expect(end, `${request.method} ${request.target}`).toBe(state)
  if (method !== undefined) expect(request.method).toBe(method)
  if (target !== undefined) expect(request.target).toBe(target)
  if (framing !== undefined) expect(request.framing).toBe(framing)
  if (body !== undefined) expect(request.body()).toBe(body)
  if (names !== undefined) expect(request.fields.map(([name]) => name)).toEqual(names)
  compareFields(side, request.fields, fields)
  if (lacks !== undefined)
    expect(request.fields.map(([name, value]) => `${name}: ${value}`).join('\n')).not.toMatch(lacks)
  if (trailers !== undefined) expect(request.trailers()).toEqual(trailers)
}

function compareFields(side: EdgeSide, actual: FieldPairs, expected: ExpectedFields = {}): void {
  const pattern = (value: string | RegExp) =>
    typeof value === 'string'
      ? value.replace(CLUSTER, side.cluster).replace(BACKEND, side.backend)
      : expect.stringMatching(value)
  for (const [name, values] of Object.entries(expected))
    expect([name, ...valuesOf(actual, name)]).toEqual([name, ...values.map(pattern)])
}

function valuesOf(fields: FieldPairs, name: string): string[] {
  return fields.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, value]) => value)
}
