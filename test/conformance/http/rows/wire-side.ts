// The side of the table over sockets: a Plugboard process, a Telephone, and the recording backend of this folder.

import { field, rawExchange } from '../../../support/http/raw-connection.ts'
import type { EdgeStack } from '../edge-stack.ts'
import type { BackendRequest } from '../recording-backend.ts'
import { type BackendBehaviour, get, type ProxyName } from './edge-row.ts'
import type { EdgeSide, ReceivedRequest } from './run-row.ts'

export class WireSide implements EdgeSide {
  readonly cluster: string
  readonly backend: string
  readonly #stack: EdgeStack

  private constructor(stack: EdgeStack, cluster: string) {
    this.#stack = stack
    this.cluster = cluster
    this.backend = `localhost:${stack.backendPort}`
  }

  /** `stack`: with its second Plugboard. */
  static async of(stack: EdgeStack): Promise<WireSide> {
    const response = await rawExchange(stack.port, get())
    const via = /^1\.1 (plugboard-[0-9a-f]{16})$/.exec(field(response.headers, 'via') ?? '')
    if (via === null) throw new Error(`A response without the Via of its cluster: ${response.head}`)
    return new WireSide(stack, via[1]!)
  }

  port(proxy: ProxyName): number {
    return this.#process(proxy).port
  }

  reset(behaviour: BackendBehaviour): void {
    const { backend } = this.#stack
    backend.reset()
    const held: BackendRequest[] = []
    backend.handler = request =>
      void request.over.then(end => {
        // An aborted request gets no response.
        if (end === 'aborted') return
        held.push(request)
        if (held.length < (behaviour.holdUntil ?? 1)) return
        for (const each of held.splice(0).toReversed()) respond(each, behaviour)
      })
  }

  received(): readonly ReceivedRequest[] {
    const { requests, faults } = this.#stack.backend
    if (faults.length > 0) throw new Error(`The backend received invalid HTTP: ${faults.join('; ')}`)
    return requests.map(receivedOf)
  }

  async untilBody(part: string): Promise<void> {
    const request = await this.#stack.backend.request()
    await request.connection.until(`the body ${part}`, () => request.body.includes(part))
  }

  async accessLine(proxy: ProxyName, requestId: string): Promise<object> {
    const line = await this.#process(proxy).child.waitForLine(new RegExp(`"requestId":"${requestId}"`))
    return JSON.parse(line.input ?? '') as object
  }

  #process(proxy: ProxyName) {
    return proxy === 'plain' ? this.#stack.plugboard : this.#stack.tight!
  }
}

function respond(request: BackendRequest, behaviour: BackendBehaviour): void {
  const { status = 200, fields = [], interim, chunked, trailers = [] } = behaviour
  const body = behaviour.body ?? `${request.method} ${request.target} ${request.body}`
  const lines = (pairs: readonly (readonly [string, string])[]) =>
    pairs.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  const hasLength = fields.some(([name]) => name === 'Content-Length')
  const length = hasLength ? '' : `Content-Length: ${body.length}\r\n`
  const framing = chunked === true ? 'Transfer-Encoding: chunked\r\n' : length
  const content =
    chunked === true ? `${body.length.toString(16)}\r\n${body}\r\n0\r\n${lines(trailers)}\r\n` : body
  const first =
    interim === undefined ? '' : `HTTP/1.1 ${interim.status} Interim\r\n${lines(interim.fields)}\r\n`
  // The response to HEAD has the length of its body, and no body, unless the row gives one.
  const sent = request.method === 'HEAD' && behaviour.body === undefined ? '' : content
  request.say(`${first}HTTP/1.1 ${status} Sent\r\n${lines(fields)}${framing}\r\n${sent}`)
}

function receivedOf(request: BackendRequest): ReceivedRequest {
  const framing = new Set(['content-length', 'transfer-encoding'])
  const [length] = request.all('content-length')
  const inChunks = request.all('transfer-encoding').length > 0
  return {
    method: request.method,
    target: request.target,
    framing: length !== undefined ? `length ${length}` : inChunks ? 'chunked' : 'none',
    fields: request.fields.filter(([name]) => !framing.has(name.toLowerCase())),
    ended: request.ended,
    body: () => request.body,
    trailers: () => request.trailers,
  }
}
