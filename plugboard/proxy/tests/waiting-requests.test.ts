// Requests that wait for a line: in the queue of their service (`queue`), and while no telephone is connected (`holdMs`).

import { beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import type { FakeCall } from '../../../test/support/harness/fake-telephone.ts'
import { harnessRoute } from '../../../test/support/harness/proxy-harness.ts'
import { useProxy } from '../../../test/support/harness/use-proxy.ts'
import { field, type RawConnection, type RawResponse } from '../../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import type { ServicePolicy } from '../../routes/options/service-policy.ts'

useLeakCheck()

let clock: ManualClock

const proxy = useProxy(() => {
  clock = new ManualClock()
  return { clock, limits: { clientSharePercent: 100 } }
})

function use(policy: Partial<ServicePolicy>): void {
  proxy.harness.routes = [harnessRoute({ host: 'test', policy })]
}
const get = (path = '/') => proxy.send(`GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`)
const errorCode = (response: RawResponse) => field(response.headers, 'plugboard-error')
const counters = () => proxy.harness.proxy.counters
const untilWaiting = (count: number) =>
  eventually(`${count} requests wait`, () => (proxy.harness.proxy.waitingCount === count ? true : undefined))
/** Sends a request that waits. */
async function queue(path: string): Promise<RawConnection> {
  const before = proxy.harness.proxy.waitingCount
  const client = await get(path)
  await untilWaiting(before + 1)
  return client
}

describe('the queue of a service', () => {
  /** The call that uses the only place of the telephone. */
  let first: FakeCall

  beforeEach(async () => {
    use({ maxStreamsPerTelephone: 1, queue: { max: 2, timeoutMs: 1000 } })
    await get('/first')
    first = await proxy.telephone.nextCall()
  })

  it('serves the requests in the order of their arrival, one for each stream that ends', async () => {
    const second = await queue('/second')
    const third = await queue('/third')
    first.respond(200)
    const next = await proxy.telephone.nextCall()
    expect([next.opening.target, proxy.harness.proxy.waitingCount]).toEqual(['/second', 1])
    next.respond(200, 'second')
    const last = await proxy.telephone.nextCall()
    last.respond(200, 'third')
    expect((await second.readResponse()).body.toString()).toBe('second')
    expect((await third.readResponse()).body.toString()).toBe('third')
    expect([counters().queued, counters().queueTimeouts, proxy.harness.proxy.waitingCount]).toEqual([2, 0, 0])
  })

  it('lets no new request overtake', async () => {
    await queue('/second')
    // The place becomes free in the same event in which the third request arrives.
    const third = get('/third')
    first.respond(200)
    expect((await proxy.telephone.nextCall()).opening.target).toBe('/second')
    await third
    await untilWaiting(1)
  })

  it('refuses a request that finds no place', async () => {
    await queue('/second')
    await queue('/third')
    const response = await (await get('/fourth')).readResponse()
    expect([response.status, errorCode(response), field(response.headers, 'retry-after')]).toEqual([
      503,
      'overloaded',
      '1',
    ])
    expect(counters().queueFull).toBe(1)
  })

  it('refuses a request whose time has passed', async () => {
    const second = await queue('/second')
    clock.advance(1000)
    const response = await second.readResponse()
    expect([response.status, errorCode(response)]).toEqual([503, 'overloaded'])
    expect(proxy.harness.accessLog[0]).toMatchObject({ code: 'overloaded', cause: 'queue_timeout' })
    expect([counters().queueTimeouts, proxy.harness.proxy.waitingCount]).toEqual([1, 0])
    first.respond(200)
  })

  it('forgets a request whose client has closed the connection', async () => {
    const second = await queue('/second')
    await queue('/third')
    second.destroy()
    await untilWaiting(1)
    first.respond(200)
    expect((await proxy.telephone.nextCall()).opening.target).toBe('/third')
    expect(counters().clientAborts).toBe(1)
  })

  it('serves a waiting request when another telephone connects', async () => {
    await queue('/second')
    const other = await proxy.harness.telephone()
    expect((await other.nextCall()).opening.target).toBe('/second')
  })

  it('lets an upgrade wait', async () => {
    const before = proxy.harness.proxy.waitingCount
    await proxy.send('GET /up HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
    await untilWaiting(before + 1)
    first.respond(200)
    expect((await proxy.telephone.nextCall()).opening.kind).toBe('upgrade')
  })

  it('does not count the wait as time without a response', async () => {
    use({ maxStreamsPerTelephone: 1, queue: { max: 2, timeoutMs: 10_000 }, responseHeadTimeoutMs: 1000 })
    const second = await queue('/second')
    clock.advance(900)
    first.respond(200)
    const call = await proxy.telephone.nextCall()
    clock.advance(900)
    call.respond(200, 'second')
    expect((await second.readResponse()).body.toString()).toBe('second')
  })

  it('also holds requests over maxStreams, and those that find the tunnel at its limit', async () => {
    use({ maxStreams: 1, queue: { max: 2, timeoutMs: 1000 } })
    await queue('/second')
    first.respond(200)
    expect((await proxy.telephone.nextCall()).opening.target).toBe('/second')
  })
})

it('leaves places in the queue to other clients, and serves them past a client at its share', async () => {
  await proxy.restart({ clock, limits: { clientSharePercent: 50 } })
  use({ maxStreams: 2, queue: { max: 2, timeoutMs: 1000 } })
  const from = async (address: string, path: string) => {
    const client = await proxy.connect(address)
    await client.send(`GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`)
    return client
  }
  await from('127.0.0.2', '/1')
  const first = await proxy.telephone.nextCall()
  await from('127.0.0.3', '/2')
  const second = await proxy.telephone.nextCall()
  await from('127.0.0.2', '/3')
  await untilWaiting(1)
  const refused = await (await from('127.0.0.2', '/4')).readResponse()
  expect([refused.status, errorCode(refused)]).toEqual([429, 'concurrency_limited'])
  await from('127.0.0.4', '/5')
  await untilWaiting(2)
  // The client of /3 still has /1 open, which is its share.
  second.respond(200)
  expect((await proxy.telephone.nextCall()).opening.target).toBe('/5')
  first.respond(200)
  expect((await proxy.telephone.nextCall()).opening.target).toBe('/3')
})

describe('holdMs', () => {
  beforeEach(async () => {
    await proxy.restart({ clock }, async harness => {
      const telephone = await harness.telephone()
      telephone.cut()
      await telephone.closed
      await eventually('the line ends', () => ([...harness.registry.lines()].length === 0 ? true : undefined))
      return telephone
    })
    use({ holdMs: 5000, responseHeadTimeoutMs: 1000 })
  })

  it('lets requests wait for a telephone, and serves all of them in order', async () => {
    const clients = [await queue('/1'), await queue('/2'), await queue('/3')]
    clock.advance(4999)
    const telephone = await proxy.harness.telephone()
    for (let count = 0; count < clients.length; count += 1) {
      const call = await telephone.nextCall()
      call.respond(200, call.opening.target)
    }
    const responses = await Promise.all(clients.map(client => client.readResponse()))
    expect(responses.map(({ body }) => body.toString())).toEqual(['/1', '/2', '/3'])
    expect(telephone.calls.map(({ opening }) => opening.target)).toEqual(['/1', '/2', '/3'])
    expect([counters().held, counters().holdTimeouts, proxy.harness.proxy.waitingCount]).toEqual([3, 0, 0])
  })

  it('responds with 503 after the time', async () => {
    const client = await queue('/')
    clock.advance(5000)
    const response = await client.readResponse()
    expect([response.status, errorCode(response)]).toEqual([503, 'no_telephone'])
    expect(proxy.harness.accessLog).toMatchObject([{ cause: 'hold_timeout', code: 'no_telephone' }])
    expect(counters().holdTimeouts).toBe(1)
  })

  it('does not read the body meanwhile, and then sends all of it', async () => {
    const body = 'x'.repeat(8_000_000)
    const client = await proxy.connect()
    const sent = client.send(`POST / HTTP/1.1\r\nHost: test\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    let isSent = false
    void sent.then(() => {
      isSent = true
    })
    await untilWaiting(1)
    await clock.advanceAsync(4000, 200)
    expect(isSent).toBe(false)
    const telephone = await proxy.harness.telephone()
    const call = await telephone.nextCall()
    expect((await call.ended).body.length).toBe(body.length)
    await sent
    call.respond(200, 'ok')
    expect((await client.readResponse()).status).toBe(200)
  })

  it('forgets a request whose client has closed the connection', async () => {
    const client = await queue('/')
    client.destroy()
    await untilWaiting(0)
    const telephone = await proxy.harness.telephone()
    expect([telephone.calls, proxy.harness.proxy.inFlightCount]).toEqual([[], 0])
  })

  it('then queues the requests when the telephone has no room for all of them', async () => {
    use({ holdMs: 5000, maxStreamsPerTelephone: 1, queue: { max: 10, timeoutMs: 1000 } })
    await queue('/1')
    await queue('/2')
    const telephone = await proxy.harness.telephone()
    const call = await telephone.nextCall()
    await untilWaiting(1)
    call.respond(200)
    expect((await telephone.nextCall()).opening.target).toBe('/2')
    expect([counters().held, counters().queued]).toEqual([2, 1])
  })
})

describe('holdMs after a failed attempt', () => {
  const send = (method: string) => proxy.send(`${method} / HTTP/1.1\r\nHost: test\r\n\r\n`)

  it.each([
    ['a GET whose tunnel was lost', 'GET', 'cut'],
    ['a POST that the telephone refused because it stops', 'POST', 'drain'],
  ] as const)('repeats %s when the telephone connects again', async (_, method, end) => {
    use({ holdMs: 5000 })
    const client = await send(method)
    const call = await proxy.telephone.nextCall()
    if (end === 'cut') proxy.telephone.cut()
    else {
      const drained = proxy.telephone.session.drain(1000)
      await eventually('the line ends', () =>
        [...proxy.harness.registry.lines()].length === 0 ? true : undefined,
      )
      call.stream.reset('draining')
      await drained
    }
    await untilWaiting(1)
    const next = await proxy.harness.telephone()
    const repeated = await next.nextCall()
    repeated.respond(200, 'again')
    expect((await client.readResponse()).body.toString()).toBe('again')
    expect(counters().retries).toBe(1)
  })

  it('responds with the error of the attempt when no telephone connects', async () => {
    use({ holdMs: 5000 })
    const client = await send('GET')
    await proxy.telephone.nextCall()
    proxy.telephone.cut()
    await untilWaiting(1)
    clock.advance(5000)
    const response = await client.readResponse()
    expect([response.status, errorCode(response)]).toEqual([502, 'telephone_lost'])
  })

  it('does not wait when the backend fails behind a connected telephone', async () => {
    use({ holdMs: 5000 })
    proxy.telephone.handler = call => call.stream.reset('backend_closed')
    const response = await (await send('GET')).readResponse()
    expect([response.status, counters().held]).toEqual([502, 0])
  })
})

describe('a service that is renamed while a request waits', () => {
  const rename = (name: string) => {
    const [{ service }] = proxy.harness.routes as [ReturnType<typeof harnessRoute>]
    ;(service as { name: string }).name = name
  }

  it('serves the request with a telephone that announces the new name, once', async () => {
    proxy.telephone.cut()
    use({ holdMs: 5000 })
    const client = await queue('/')
    rename('shop')
    const telephone = await proxy.harness.telephone(['shop'])
    telephone.handler = call => call.respond(200, 'renamed')
    expect((await client.readResponse()).body.toString()).toBe('renamed')
    expect([proxy.harness.proxy.waitingCount, telephone.calls.length]).toEqual([0, 1])
  })

  it('ends the wait of a client that disconnects', async () => {
    proxy.telephone.cut()
    use({ holdMs: 5000 })
    const client = await queue('/')
    rename('shop')
    client.destroy()
    await untilWaiting(0)
    expect(counters().holdTimeouts).toBe(0)
  })
})
