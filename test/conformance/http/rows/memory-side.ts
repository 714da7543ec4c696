// The side of the table in the test's own process: a ProxyServer for each name, and a Telephone at the other end of a tunnel in
// memory, which shows the requests and sends the responses of the backend.

import { parseMount } from '@vera-stack/shared/mounts.ts'
import type { Fields } from '@vera-stack/shared/protocol/streams/stream.ts'
import { Via } from '../../../../plugboard/proxy/edge/via.ts'
import type { DirectoryRoute } from '../../../../plugboard/routes/directory.ts'
import { resolveRouteOptions } from '../../../../plugboard/routes/options/route-options.ts'
import { RouteTable } from '../../../../plugboard/routes/route-table.ts'
import { eventually } from '../../../support/deadline.ts'
import type { FakeCall, FakeTelephone } from '../../../support/harness/fake-telephone.ts'
import { harnessRoute, ProxyHarness } from '../../../support/harness/proxy-harness.ts'
import { EDGE_POLICIES, EDGE_ROUTES, LIMITED } from './edge-routes.ts'
import { BARRIER, type BackendBehaviour, type FieldPairs, type ProxyName } from './edge-row.ts'
import type { EdgeSide, ReceivedRequest } from './run-row.ts'

/** Services without a Telephone in the tables of this side. */
const ABSENT = new Set(['nobody', 'held', 'faked', 'dead'])

export class MemorySide implements EdgeSide {
  readonly cluster = 'plugboard-test'
  /** This side has no Telephone that adds a Host. */
  readonly backend = ''
  readonly #harnesses: Readonly<Record<ProxyName, ProxyHarness>>
  readonly #calls: FakeCall[] = []
  #behaviour: BackendBehaviour = {}
  #held: FakeCall[] = []

  private constructor(harnesses: Readonly<Record<ProxyName, ProxyHarness>>) {
    this.#harnesses = harnesses
  }

  static async start(): Promise<MemorySide> {
    const directory = edgeDirectory()
    const plain = await ProxyHarness.start({ directory })
    const limited = await ProxyHarness.start({ directory, via: new Via(['plugboard-limited']), ...LIMITED })
    const side = new MemorySide({ plain, limited })
    const services = Object.keys(EDGE_POLICIES).filter(name => !ABSENT.has(name))
    for (const harness of [plain, limited]) side.#serve(await harness.telephone(services))
    return side
  }

  port(proxy: ProxyName): number {
    return this.#harnesses[proxy].port
  }

  reset(behaviour: BackendBehaviour): void {
    this.#behaviour = behaviour
    this.#calls.length = 0
    this.#held = []
  }

  received(): readonly ReceivedRequest[] {
    return this.#calls.map(receivedOf)
  }

  async untilBody(part: string): Promise<void> {
    const call = await eventually('a request reaches the backend', () => this.#calls[0])
    await call.untilReceived(part.length)
  }

  accessLine(proxy: ProxyName, requestId: string): Promise<object> {
    const lines = this.#harnesses[proxy].accessLog
    return eventually('the access line is written', () => lines.find(line => line.requestId === requestId))
  }

  async close(): Promise<void> {
    const inFlight = () =>
      Object.values(this.#harnesses).reduce((sum, { proxy }) => sum + proxy.inFlightCount, 0)
    await eventually('all requests have ended', () => (inFlight() === 0 ? true : undefined))
    await Promise.all(Object.values(this.#harnesses).map(harness => harness.close()))
  }

  #serve(telephone: FakeTelephone): void {
    telephone.handler = call => {
      this.#calls.push(call)
      const behaviour = call.opening.target === BARRIER ? {} : this.#behaviour
      if (call.opening.kind === 'upgrade') return this.#respond(call, behaviour)
      // An aborted request gets no response.
      call.ended.then(
        () => this.#respond(call, behaviour),
        () => undefined,
      )
    }
  }

  #respond(call: FakeCall, behaviour: BackendBehaviour): void {
    this.#held.push(call)
    if (this.#held.length < (behaviour.holdUntil ?? 1)) return
    for (const held of this.#held.splice(0).toReversed()) respond(held, behaviour)
  }
}

/** Matches as a Plugboard with these routes in its database does. */
function edgeDirectory(): { match(host: string, path: string): DirectoryRoute | undefined } {
  const table = new RouteTable<DirectoryRoute>()
  for (const { mount: written, service, options } of EDGE_ROUTES) {
    const parsed = parseMount(written)
    if (!parsed.ok) throw new Error(`${written}: ${parsed.problem}`)
    const { host, path } = parsed.value
    const policy = EDGE_POLICIES[service] ?? {}
    const route = harnessRoute({
      host,
      mountPath: path,
      service,
      policy,
      options: resolveRouteOptions(options ?? {}),
    })
    table.set(host, path, route)
  }
  return { match: (host, path) => table.match(host, path) }
}

function respond({ opening, stream, body: sent }: FakeCall, behaviour: BackendBehaviour): void {
  const { status = 200, fields = [], interim, chunked, trailers } = behaviour
  const body = behaviour.body ?? `${opening.method} ${opening.target} ${sent.toString('latin1')}`
  const hasLength = chunked === true || fields.some(([name]) => name === 'Content-Length')
  const length: FieldPairs = hasLength ? [] : [['Content-Length', String(body.length)]]
  if (interim !== undefined)
    stream.respond({ status: interim.status, statusText: '', fields: interim.fields.flat() })
  stream.respond({ status, statusText: '', fields: [...fields, ...length].flat() })
  if (opening.method !== 'HEAD' && body !== '') stream.write(Buffer.from(body, 'latin1'))
  stream.end(trailers?.flat())
}

/** The request as a Telephone writes it: a body without a length is sent in chunks. */
function receivedOf(call: FakeCall): ReceivedRequest {
  const { method, target, fields } = call.opening
  const length = call.field('content-length')
  if (call.field('transfer-encoding') !== undefined) throw new Error('A tunnel has no Transfer-Encoding')
  const trailers: Fields[] = []
  return {
    method,
    target,
    framing: length !== undefined ? `length ${length}` : call.receivedBytes > 0 ? 'chunked' : 'none',
    fields: pairsOf(fields).filter(([name]) => name.toLowerCase() !== 'content-length'),
    ended: call.ended.then(
      end => {
        if (end.trailers !== undefined) trailers.push(end.trailers)
        return 'complete' as const
      },
      () => 'aborted' as const,
    ),
    body: () => call.body.toString('latin1'),
    trailers: () => pairsOf(trailers.flat()),
  }
}

function pairsOf(flat: Fields): [name: string, value: string][] {
  return Array.from({ length: flat.length / 2 }, (_, index) => [flat[2 * index]!, flat[2 * index + 1]!])
}
