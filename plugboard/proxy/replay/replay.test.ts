// Replays of captured requests: from the proxy to telephones in memory, without a client connection.

import { describe, expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import type { FakeCall } from '../../../test/support/harness/fake-telephone.ts'
import { harnessRoute } from '../../../test/support/harness/proxy-harness.ts'
import { useProxy } from '../../../test/support/harness/use-proxy.ts'
import { rawExchange } from '../../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { asServiceId } from '../../common/ids/row-ids.ts'
import { Inspector } from '../../observe/exchanges/inspector.ts'
import type { ReplayRequest } from '../../observe/exchanges/replay-types.ts'
import type { ServicePolicy } from '../../routes/options/service-policy.ts'

useLeakCheck()

let clock: ManualClock
let inspector: Inspector

const proxy = useProxy(
  () => {
    clock = new ManualClock()
    inspector = new Inspector(clock)
    return { clock, inspector: { inspector, replicaId: 'r1' } }
  },
  harness => harness.telephone(['web'], { line: { telephone: 'first' } }),
)

const replayed = (more: Partial<ReplayRequest> = {}) =>
  proxy.harness.proxy.replay({
    exchange: 'e1',
    serviceId: asServiceId('id-web'),
    scheme: 'https',
    host: 'test',
    method: 'GET',
    target: '/a?b=1',
    fields: ['X-A', '1', 'Plugboard-Replay', 'forged', 'X-Forwarded-For', '9.9.9.9'],
    body: undefined,
    clientAddress: '192.0.2.7',
    telephone: undefined,
    rules: { maxBodyBytes: 65_536, maskJson: [] },
    ...more,
  })

/** Resolves with the exchange of a replay that was sent. */
async function exchangeOf(result: ReturnType<typeof replayed>) {
  const sent = await result
  if (sent.kind !== 'sent') throw new Error(`the replay was not sent: ${sent.kind}`)
  return inspector.ring.get(sent.id)
}

const use = (policy: Partial<ServicePolicy>) => {
  proxy.harness.routes = [harnessRoute({ host: 'test', policy })]
}

describe('a replay', () => {
  it('reaches the backend as a request of the first client, with Plugboard-Replay', async () => {
    let received: FakeCall | undefined
    proxy.telephone.handler = call => {
      received = call
      void call.ended.then(({ body }) =>
        call.respond(200, `got ${body.length}`, ['Content-Type', 'text/plain']),
      )
    }
    const body = Buffer.alloc(100_000, 'x')
    const kept = await exchangeOf(replayed({ method: 'POST', body }))
    expect(received?.opening).toMatchObject({ method: 'POST', target: '/a?b=1' })
    expect(received?.fields('plugboard-replay')).toEqual(['e1'])
    expect(received?.field('x-forwarded-for')).toBe('192.0.2.7')
    expect(received?.field('x-forwarded-proto')).toBe('https')
    expect(received?.body.length).toBe(100_000)
    expect(kept).toMatchObject({
      replayOf: 'e1',
      scheme: 'https',
      request: {
        status: 200,
        method: 'POST',
        remoteAddress: '192.0.2.7',
        telephoneId: 'first',
        replayOf: 'e1',
        bytesIn: 100_000,
      },
      received: { body: { bytes: 100_000, isCut: true } },
      sent: { status: 200, body: { text: 'got 100000' } },
    })
  })

  it('a client cannot send Plugboard-Replay', async () => {
    let received: FakeCall | undefined
    proxy.telephone.handler = call => {
      received = call
      call.respond(200)
    }
    for (const name of ['Plugboard-Replay', 'plugboard_replay', 'PLUGBOARD-REPLAY']) {
      await rawExchange(proxy.harness.port, `GET / HTTP/1.1\r\nHost: test\r\n${name}: e1\r\n\r\n`)
      expect(received?.fields('plugboard-replay'), name).toEqual([])
      expect(received?.opening.fields, name).not.toContain('e1')
    }
  })

  it('does not count for rate limits', async () => {
    use({ maxRequestsPerSecond: 1 })
    proxy.telephone.handler = call => call.respond(200)
    for (let count = 0; count < 5; count += 1) expect((await exchangeOf(replayed()))?.sent?.status).toBe(200)
    const { status } = await rawExchange(proxy.harness.port, 'GET / HTTP/1.1\r\nHost: test\r\n\r\n')
    expect(status).toBe(200)
  })

  it('takes the rules of the route', async () => {
    const [route] = proxy.harness.routes
    proxy.harness.routes = [
      { ...route!, options: { ...route!.options, rules: { access: { deny: ['192.0.2.0/24'] } } } },
    ]
    expect(await exchangeOf(replayed())).toMatchObject({
      sent: { status: 403, isLocal: true },
      request: { code: 'address_denied' },
    })
  })

  it('goes to the chosen telephone only, and fails when that one cannot take it', async () => {
    const canary = await proxy.harness.telephone(['web'], {
      instance: 'canary-1',
      line: { telephone: 'canary' },
    })
    proxy.telephone.handler = call => call.respond(200, 'first')
    canary.handler = call => call.respond(200, 'canary')
    for (const telephone of ['canary', 'first', 'canary'])
      expect(await exchangeOf(replayed({ telephone }))).toMatchObject({ request: { telephoneId: telephone } })
    proxy.harness.changeLines('canary-1', { health: 'down' })
    expect(await exchangeOf(replayed({ telephone: 'canary' }))).toMatchObject({
      sent: { status: 503, isLocal: true },
      request: { code: 'no_telephone' },
    })
    expect(await replayed({ telephone: 'absent' })).toEqual({ kind: 'no_line' })
  })

  it('is retried on a line of the chosen telephone only', async () => {
    await proxy.harness.telephone(['web'], { instance: 'another-1', line: { telephone: 'other' } })
    proxy.telephone.handler = call => call.stream.reset('backend_closed')
    const kept = await exchangeOf(replayed({ telephone: 'first' }))
    expect(kept).toMatchObject({ sent: { status: 502 }, attempts: [{ telephone: 'first' }] })
  })

  it('is not sent to another service, nor without a route', async () => {
    expect(await replayed({ serviceId: asServiceId('other') })).toEqual({
      kind: 'other_service',
      service: 'web',
    })
    expect(await replayed({ host: 'nowhere.test' })).toMatchObject({ kind: 'unrouted' })
    expect(await replayed({ fields: ['Transfer-Encoding', 'x'] })).toMatchObject({ kind: 'unrouted' })
  })

  it('ends after 30 s with what has arrived', async () => {
    const result = replayed()
    const call = await proxy.telephone.nextCall()
    call.stream.respond({ status: 200, statusText: '', fields: ['Content-Type', 'text/event-stream'] })
    await eventually('the head has arrived', () => (inspector.ring.size === 1 ? true : undefined))
    clock.advance(30_000)
    expect(await exchangeOf(result)).toMatchObject({ open: false, sent: { status: 200 } })
    expect((await call.aborted).reason).toBe('cancelled')
  })

  it('ends a response that is too long', async () => {
    proxy.telephone.handler = call => {
      call.stream.respond({ status: 200, statusText: '', fields: [] })
      const write = (): void => {
        while (call.stream.open && call.stream.write(Buffer.alloc(65_536)));
      }
      call.onWritable = write
      write()
    }
    const kept = await exchangeOf(replayed())
    expect(kept?.request.bytesOut).toBeGreaterThan(16 * 1024 * 1024)
    expect(kept?.request.bytesOut).toBeLessThan(32 * 1024 * 1024)
  })

  it('ends when the proxy closes, and none begins after that', async () => {
    const result = replayed()
    await proxy.telephone.nextCall()
    await proxy.harness.proxy.close()
    expect(await result).toMatchObject({ kind: 'sent' })
    expect(await replayed()).toEqual({ kind: 'unavailable' })
  })

  it('16 are the most at the same time', async () => {
    const results = Array.from({ length: 16 }, () => replayed())
    expect(await replayed()).toEqual({ kind: 'busy' })
    for (let count = 0; count < 16; count += 1) (await proxy.telephone.nextCall()).respond(200)
    for (const result of results) expect(await result).toMatchObject({ kind: 'sent' })
    expect(inspector.ring.size).toBe(16)
  })
})
