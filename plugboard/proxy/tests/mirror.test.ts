// Copies of requests for a canary (`mirror`), on the public port with telephones in memory.

import { beforeEach, describe, expect, it } from 'vitest'
import { harnessRoute } from '../../../test/support/harness/proxy-harness.ts'
import { type CutTelephone, useProxy } from '../../../test/support/harness/use-proxy.ts'
import { type RawResponse, rawExchange } from '../../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import type { ServicePolicy } from '../../routes/options/service-policy.ts'
import type { MirrorRules } from '../../routes/rules/mirror-rules.ts'

useLeakCheck()

const CANARY = { name: 'canary', select: { version: '2.*' }, match: { header: { 'X-Canary': 'yes' } } }
const PIN = 'X-Canary: yes\r\n'

let clock: ManualClock
let stable: CutTelephone
let canary: CutTelephone

const proxy = useProxy(
  () => {
    clock = new ManualClock()
    return { clock, http2Cleartext: true }
  },
  async harness => {
    stable = await harness.telephone(['web'], { instance: 'stable-1', line: { telephone: 'stable' } })
    stable.handler = call => void call.ended.then(() => call.respond(200, 'stable'))
    canary = await harness.telephone(['web'], {
      instance: 'canary-1',
      line: { telephone: 'canary', version: '2.0' },
    })
    return stable
  },
)

function use(mirror: Partial<MirrorRules> = {}, policy: Partial<ServicePolicy> = {}): void {
  proxy.harness.routes = [
    harnessRoute({
      host: 'test',
      policy: { subsets: [CANARY], mirror: { to: 'canary', percent: 100, ...mirror }, ...policy },
    }),
  ]
}
beforeEach(() => use())

const request = (method = 'GET', body = '', more = ''): Promise<RawResponse> =>
  rawExchange(
    proxy.harness.port,
    `${method} /a?b HTTP/1.1\r\nHost: test\r\n${more}${body === '' ? '' : `Content-Length: ${body.length}\r\n`}\r\n${body}`,
    method,
  )

/** Sends requests, each of which the stable version must serve. */
async function served(...args: Parameters<typeof request>): Promise<void> {
  const { status, body } = await request(...args)
  const text = args[0] === 'HEAD' ? '' : 'stable'
  expect([status, body.toString()]).toEqual([200, text])
}

/** Returns the number of copies sent, failed and not sent. */
function counts(): [mirrored: number, failures: number, skipped: number] {
  const { mirrored, mirrorFailures, mirrorsSkipped } = proxy.harness.proxy.counters
  return [mirrored, mirrorFailures, mirrorsSkipped]
}

/** Resolves when the copies of the requests so far have started, or were skipped. */
const untilStarted = () => new Promise<void>(resolve => setImmediate(resolve))

/** Resolves when the canary has received all copies that were sent so far: it serves a real request. */
async function untilCopiesArrived(): Promise<void> {
  const before = canary.handler
  const real = Promise.withResolvers<void>()
  canary.handler = call => {
    if (call.field('plugboard-mirror') === undefined) {
      call.respond(200, 'canary')
      real.resolve()
    } else before?.(call)
  }
  const { body } = await request('GET', '', PIN)
  await real.promise
  expect(body.toString()).toBe('canary')
  canary.handler = before
}

const copies = () => canary.calls.filter(call => call.field('plugboard-mirror') !== undefined)

describe('a copy', () => {
  it('has the head of the request and a field of its own, and its response is dropped', async () => {
    await served('GET', '', 'X-Thing: 1\r\nPlugboard-Mirror: 2\r\nPlugboard_Mirror: 3\r\n')
    const copy = await canary.nextCall()
    const [real] = stable.calls
    expect(real?.opening.fields.filter(text => /mirror/i.test(text))).toEqual([])
    expect(copy.opening).toMatchObject({ method: 'GET', target: '/a?b' })
    expect(copy.opening.fields).toEqual([...(real?.opening.fields ?? []), 'Plugboard-Mirror', '1'])
    copy.respond(404, 'canary')
    await untilCopiesArrived()
    expect(counts()).toEqual([1, 0, 0])
    expect(proxy.harness.accessLog.map(({ telephoneId }) => telephoneId)).toEqual(['stable', 'canary'])
  })

  it('starts after the head of the real response was relayed', async () => {
    stable.handler = undefined
    const connection = await proxy.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n')
    const call = await stable.nextCall()
    expect(copies()).toEqual([])
    call.stream.respond({ status: 200, statusText: '', fields: [] })
    expect((await connection.readHead()).status).toBe(200)
    await canary.nextCall()
    call.stream.end()
  })

  it('is sent for safe methods only, unless `methods` lists others', async () => {
    canary.handler = call => call.respond(200)
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'DELETE']) await served(method)
    await untilCopiesArrived()
    expect(copies().map(({ opening }) => opening.method)).toEqual(['GET', 'HEAD', 'OPTIONS'])
    use({ methods: ['POST', 'DELETE'] })
    for (const method of ['GET', 'POST', 'DELETE']) await served(method)
    await untilCopiesArrived()
    expect(copies().map(({ opening }) => opening.method)).toEqual([
      'GET',
      'HEAD',
      'OPTIONS',
      'POST',
      'DELETE',
    ])
  })

  it('has the whole body, also of a chunked request over HTTP/2, and asks for no 100', async () => {
    use({ methods: ['POST'] })
    const body = 'x'.repeat(65_536)
    await served('POST', body)
    expect((await (await canary.nextCall()).ended).body.toString()).toBe(body)
    const client = proxy.http2()
    await client.ask({ ':authority': 'test', ':path': '/', ':method': 'POST' }, 'short')
    expect((await (await canary.nextCall()).ended).body.toString()).toBe('short')
    const connection = await proxy.send(
      'POST / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n',
    )
    await connection.send('abc')
    const copy = await canary.nextCall()
    expect([copy.field('expect'), (await copy.ended).body.toString()]).toEqual([undefined, 'abc'])
    expect(counts()).toEqual([3, 0, 0])
  })

  it('is not sent for a body over `maxBodyBytes`, or one that is incomplete when the response begins', async () => {
    use({ methods: ['POST'], maxBodyBytes: 3 })
    canary.handler = call => call.respond(200)
    await served('POST', '1234')
    await served('POST', '123')
    await untilCopiesArrived()
    expect([copies().length, counts()]).toEqual([1, [1, 0, 1]])
    stable.handler = call => call.respond(200, 'stable')
    const connection = await proxy.send('POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\n1')
    expect((await connection.readHead()).status).toBe(200)
    await untilCopiesArrived()
    expect([copies().length, counts()]).toEqual([1, [1, 0, 2]])
  })

  it('is not sent for an upgrade, for an error of Plugboard, or when the subset itself has served the request', async () => {
    stable.handler = call => call.respond(200, 'stable')
    await served('GET', '', 'Connection: Upgrade\r\nUpgrade: websocket\r\n')
    stable.handler = call => call.stream.reset('backend_timeout')
    expect((await request()).status).toBe(504)
    await untilCopiesArrived()
    await untilCopiesArrived()
    expect([copies(), counts()]).toEqual([[], [0, 0, 0]])
  })

  it('uses the newest subsets when the policy has changed during the request', async () => {
    stable.handler = undefined
    const connection = await proxy.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n')
    const call = await stable.nextCall()
    const [route] = proxy.harness.routes
    Object.assign(route!.service, { policy: { ...route!.service.policy, subsets: [], mirror: null } })
    call.respond(200)
    expect((await connection.readHead()).status).toBe(200)
    await untilStarted()
    expect([copies(), counts()]).toEqual([[], [0, 0, 1]])
  })

  it('is not sent while no process of the subset takes requests', async () => {
    use({}, { maxStreamsPerTelephone: 1 })
    for (const change of [{ health: 'down' as const }, { health: 'up' as const, version: '1.0' }]) {
      proxy.harness.changeLines('canary-1', change)
      proxy.harness.changeLines('stable-1', { weight: 1000 })
      canary.handler = call => call.respond(200, 'stable')
      await served()
    }
    await untilStarted()
    expect([copies(), counts()]).toEqual([[], [0, 0, 2]])
  })
})

describe('a canary that hangs', () => {
  it('delays no real request, and its copies end at their deadline', async () => {
    await served()
    const copy = await canary.nextCall()
    await served()
    await untilStarted()
    clock.advance(29_999)
    expect(counts()).toEqual([2, 0, 0])
    clock.advance(1)
    expect((await copy.aborted).reason).toBe('backend_timeout')
    expect(counts()).toEqual([2, 2, 0])
  })

  it('gets at most 10 copies and 10 % of the open streams at once', async () => {
    for (let sent = 0; sent < 12; sent += 1) await served()
    await untilCopiesArrived()
    expect([copies().length, counts()]).toEqual([10, [10, 0, 2]])
    const open = stable.handler
    stable.handler = undefined
    const waiting = await Promise.all(
      Array.from({ length: 10 }, () => proxy.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n')),
    )
    const calls = await Promise.all(waiting.map(() => stable.nextCall()))
    stable.handler = open
    await served()
    await untilCopiesArrived()
    expect([copies().length, counts()]).toEqual([11, [11, 0, 2]])
    for (const call of calls) call.respond(500)
  })

  it('counts for no limit of the service', async () => {
    use({}, { maxStreams: 1, maxStreamsPerTelephone: 1 })
    for (let sent = 0; sent < 5; sent += 1) await served()
    await untilCopiesArrived()
    expect([copies().length, counts()]).toEqual([5, [5, 0, 0]])
  })

  it('ends its copies when Plugboard drains, and gets no further ones', async () => {
    await served()
    const copy = await canary.nextCall()
    proxy.harness.proxy.leave()
    expect((await copy.aborted).reason).toBe('cancelled')
    await served()
    await untilCopiesArrived()
    expect([copies().length, counts()]).toEqual([1, [1, 0, 0]])
  })

  it('has not failed when its response has begun: its rest is not read after the deadline', async () => {
    await served()
    const copy = await canary.nextCall()
    copy.stream.respond({ status: 200, statusText: '', fields: [] })
    copy.stream.write(Buffer.alloc(1_000_000))
    await copy.untilWritable()
    clock.advance(30_000)
    expect((await copy.aborted).reason).toBe('cancelled')
    expect(counts()).toEqual([1, 0, 0])
  })
})

describe('a canary that fails', () => {
  it('is not ejected or stopped by its guard, opens no breaker and is not retried', async () => {
    use(
      {},
      {
        subsets: [{ ...CANARY, guard: { maxErrorPercent: 1, minRequests: 5 } }],
        breaker: { errorPercent: 1, minRequests: 1, windowMs: 10_000, openMs: 10_000 },
        retryStatuses: [503],
      },
    )
    for (const fail of [
      () => canary.calls.at(-1)?.respond(503),
      () => canary.calls.at(-1)?.stream.reset('backend_unreachable'),
    ]) {
      canary.handler = fail
      for (let sent = 0; sent < 20; sent += 1) await served()
    }
    await untilCopiesArrived()
    expect([copies().length, counts()]).toEqual([40, [40, 40, 0]])
    expect(proxy.harness.proxy.counters).toMatchObject({ retries: 0, breakersOpened: 0, requests: 41 })
  })

  it('fails no real request when its tunnel breaks during a copy', async () => {
    await served()
    await canary.nextCall()
    canary.cut()
    await served()
    await canary.closed
    expect(counts().slice(0, 2)).toEqual([1, 1])
  })
})
