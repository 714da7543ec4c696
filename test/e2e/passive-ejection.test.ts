// Passive ejection with a real Plugboard, real Telephones and backends on sockets (acceptance tests T2 and T3). A failing backend
// does not show in the responses of users. The short form sends some thousand requests; `npm run soak -- passive-ejection`
// sends requests for a minute in each case and applies the bound of one failed request in a thousand.

import { Agent, createServer, get, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { EjectionsBody, TelephonePageBody } from '../../plugboard/admin/api-types.ts'
import { type ConnectOptions, connect, type TelephoneHandle } from '../../telephone/index.ts'
import { eventually } from '../support/deadline.ts'
import { useStack } from '../support/programs/stack.ts'
import { SOAK_MS } from '../support/soak.ts'

const CLIENTS = 8
const stack = useStack({ withoutTelephone: true, plugboardArgs: ['--no-access-log'] })

/** A backend whose behaviour a test changes. `status` undefined: it closes its port. */
class TestBackend {
  status: number | undefined
  /** The status of the health check. */
  health = 200
  received = 0
  /** Set: called instead of the response. */
  respond: ((response: ServerResponse) => void) | undefined
  readonly #server: Server
  port = 0

  constructor(status: number | undefined) {
    this.status = status
    this.#server = createServer(({ url }, response) => {
      if (url === '/healthz') {
        response.writeHead(this.health).end()
        return
      }
      this.received += 1
      if (this.respond === undefined) response.writeHead(this.status ?? 500).end('hello')
      else this.respond(response)
    })
  }

  async listen(): Promise<this> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve))
    this.port = (this.#server.address() as AddressInfo).port
    if (this.status === undefined) await this.close()
    return this
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise<void>(resolve => this.#server.close(() => resolve()))
  }
}

let agent: Agent
let backends: TestBackend[]
let telephones: TelephoneHandle[]
let services = 0
let service: string

beforeEach(() => {
  agent = new Agent({ keepAlive: true, maxSockets: CLIENTS })
  backends = []
  telephones = []
  services += 1
  service = `ejection-${services}`
})
afterEach(async () => {
  agent.destroy()
  await Promise.all(telephones.map(telephone => telephone.close(0)))
  await Promise.all(backends.map(backend => backend.close()))
})

/** Starts a service with a Telephone for each backend. A backend without a status does not run. */
async function serve(
  statuses: readonly (number | undefined)[],
  policy: object = {},
  options: Partial<ConnectOptions> = {},
): Promise<void> {
  await stack.plugboard.addService(service, policy)
  await stack.plugboard.addRoute(`${service}.localhost`, service)
  backends = await Promise.all(statuses.map(status => new TestBackend(status).listen()))
  telephones = await Promise.all(
    backends.map(({ port }, index) =>
      connect({
        plugboard: stack.plugboard.url,
        token: stack.token,
        service,
        target: port,
        name: `${service}-${index}`,
        tunnels: 1,
        onEvent: () => undefined,
        ...options,
      } as ConnectOptions),
    ),
  )
}

function request(): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { port: stack.port, agent, headers: { host: `${service}.localhost` }, timeout: 30_000 }
    get(options, response => {
      response.resume()
      response.on('end', () => resolve(response.statusCode ?? 0))
    }).on('error', reject)
  })
}

interface Result {
  requests: number
  failed: number
}

/** Sends `requests` from several clients, or requests for a minute in the long form. */
async function send(requests: number): Promise<Result> {
  const result = { requests: 0, failed: 0 }
  const endMs = performance.now() + SOAK_MS
  const isOver = (): boolean => (SOAK_MS === 0 ? result.requests >= requests : performance.now() >= endMs)
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      while (!isOver()) {
        result.requests += 1
        if ((await request()) >= 500) result.failed += 1
      }
    }),
  )
  return result
}

/** The states of the processes, by the index of the backend. A process that was never ejected has none. */
async function states(): Promise<Record<number, string>> {
  const { items } = await stack.plugboard.call<EjectionsBody>('GET', '/v1/ejections')
  const own = items.filter(row => row.service === service)
  return Object.fromEntries(own.map(({ telephone, state }) => [telephone.slice(service.length + 1), state]))
}

/** Returns the health that the Telephone of a backend has announced. */
async function healthOf(index: number): Promise<string | undefined> {
  const { items } = await stack.plugboard.call<TelephonePageBody>('GET', `/v1/telephones?service=${service}`)
  return items.find(({ name }) => name === `${service}-${index}`)?.services[0]?.health
}

/** Checks the bound of the long form: one failed request in a thousand. */
function expectFewFailures({ requests, failed }: Result, shortForm: number): void {
  if (SOAK_MS > 0)
    console.log(`${expect.getState().currentTestName}: ${failed} of ${requests} requests failed`)
  expect(failed).toBeLessThanOrEqual(SOAK_MS === 0 ? shortForm : requests / 1000)
}

const many = (status: number | undefined, count: number): (number | undefined)[] =>
  Array.from({ length: count }, () => status)

// The attempts that each client may have under way when the process is ejected, and a few trials.
const UNDER_WAY = CLIENTS + 3

// `peak_ewma` also avoids a failing process by its cost, so it may receive too few requests to be ejected.
describe.each(['round_robin', 'peak_ewma'] as const)('T2 with %s', balancing => {
  const ejects = balancing === 'round_robin'

  it('a telephone of 5 that responds with 500 at once is ejected after 20 errors', async () => {
    await serve([500, ...many(200, 4)], { balancing })
    expectFewFailures(await send(600), 20 + UNDER_WAY)
    if (ejects) expect(Object.keys(await states())).toEqual(['0'])
  })

  it('a telephone of 10 that responds with 503 is ejected after 5 failures', async () => {
    await serve([503, ...many(200, 9)], { balancing })
    expectFewFailures(await send(600), 5 + UNDER_WAY)
    if (ejects) expect(Object.keys(await states())).toEqual(['0'])
  })

  it.each([3, 4, 6])('with %i of 10 backends not running, the other ones serve all requests', async dead => {
    await serve([...many(undefined, dead), ...many(200, 10 - dead)], { balancing })
    // Each dead backend fails 5 attempts and those under way. A request fails with three of them.
    expectFewFailures(await send(600), Math.ceil((dead * (5 + CLIENTS)) / 3))
    if (!ejects) return
    expect(Object.keys(await states())).toEqual(many(undefined, dead).map((_, index) => String(index)))
    expect(await send(100)).toMatchObject({ failed: 0 })
  })
})

describe('T2', () => {
  it('no telephone is ejected when all fail alike, and requests are sent to all of them', async () => {
    await serve(many(503, 3))
    const { requests, failed } = await send(600)
    expect(failed).toBe(requests)
    expect(await states()).toEqual({})
    for (const { received } of backends) expect(received).toBeGreaterThan(0)
  })

  it('the only telephone is never ejected', async () => {
    await serve([503])
    await send(300)
    expect(await states()).toEqual({})
    backends[0]!.status = 200
    expect(await send(100)).toMatchObject({ failed: 0 })
  })
})

/** The time of an ejection cannot end it. */
const NEVER = { ejectMs: 3_600_000, maxEjectMs: 3_600_000 }
const CHECKED = { healthCheck: '/healthz', healthIntervalMs: 200 }

async function untilEjected(): Promise<void> {
  await eventually('the first process is ejected', async () => {
    await send(50)
    return (await states())[0] === 'ejected' || undefined
  })
}

describe('T3', () => {
  it('the health check of an ejected process runs at once, and its failure is announced', async () => {
    await serve([200, 200, 200], { outlier: NEVER }, { ...CHECKED, healthIntervalMs: 3_600_000 })
    backends[0]!.status = 503
    backends[0]!.health = 503
    await untilEjected()
    await eventually('the check has failed', async () => ((await healthOf(0)) === 'down' ? true : undefined))
  })

  it('an ejected process with a health check serves when its check passes', async () => {
    await serve([200, 200, 200], { outlier: NEVER }, CHECKED)
    backends[0]!.status = 503
    await untilEjected()
    backends[0]!.health = 503
    await eventually('the check fails', async () => ((await healthOf(0)) === 'down' ? true : undefined))
    const before = backends[0]!.received
    backends[0]!.status = 200
    backends[0]!.health = 200
    await eventually('the process serves', async () => ((await states())[0] === 'serving' ? true : undefined))
    expect(await send(300)).toMatchObject({ failed: 0 })
    expect(backends[0]!.received).toBeGreaterThan(before)
  })

  it('without a health check a process receives one request at a time, and serves after three successes', async () => {
    await serve([503, 200, 200], { balancing: 'round_robin', outlier: { ejectMs: 300 } })
    const [backend] = backends
    await send(60)
    expect((await states())[0]).toBeDefined()
    // Trials fail until all requests of the failing time have ended.
    let open = 0
    const openAtArrival: number[] = []
    backend!.respond = response => {
      open += 1
      openAtArrival.push(open)
      setTimeout(() => {
        open -= 1
        response.writeHead(200).end()
      }, 20)
    }
    let failed = 0
    await eventually('the process serves', async () => {
      failed += (await Promise.all(Array.from({ length: CLIENTS }, request))).filter(
        status => status >= 500,
      ).length
      return (await states())[0] === 'serving' || undefined
    })
    expect(failed).toBe(0)
    expect(openAtArrival.slice(0, 3)).toEqual([1, 1, 1])
  })
})

it('plugboard status and plugboard telephone list show an ejected process and its failures', async () => {
  await serve([503, 200], { outlier: NEVER })
  await untilEjected()
  expect((await stack.plugboard.cli('status')).output).toMatch(
    new RegExp(`${service} +${service}-0 +\\S+ +ejected .*consecutive_failures +503 503 503 503 503`),
  )
  expect((await stack.plugboard.cli('telephone', 'list')).output).toContain(`${service} (ejected by `)
  const line = `"${service}-0".*"last failures: 503, 503, 503, 503, 503","msg":"process ejected"`
  await stack.plugboard.child.waitForLine(new RegExp(line), { timeoutMs: 5000 })
})
