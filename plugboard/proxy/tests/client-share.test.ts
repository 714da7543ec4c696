// One client address holds only its share of the streams of a service, in every way of opening them. A body that is too slow is
// aborted. A trusted proxy reports the client addresses.

import { beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import { harnessRoute } from '../../../test/support/harness/proxy-harness.ts'
import { useProxy } from '../../../test/support/harness/use-proxy.ts'
import { readHttp2Response } from '../../../test/support/http/http2-client.ts'
import { field, type RawConnection, type RawResponse } from '../../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { lineId } from '../../registry/line-ids.ts'

useLeakCheck()

const OPTIONS = { http2Cleartext: true, trustedProxies: ['127.0.0.1'] }
const proxy = useProxy(OPTIONS, harness => harness.telephone(['web'], { maxStreams: 8 }))

const head = (client: string, more = ''): string => `Host: test\r\nX-Forwarded-For: ${client}\r\n${more}\r\n`

/** Waits until this number of streams is open at the telephone. */
const streams = (count: number): Promise<true> =>
  eventually(`${count} streams are open`, () =>
    proxy.telephone.session.streamCount === count ? true : undefined,
  )

async function refused(connection: RawConnection): Promise<RawResponse> {
  const response = await connection.readResponse()
  const code = field(response.headers, 'plugboard-error')
  expect([response.status, code, field(response.headers, 'retry-after')]).toEqual([
    429,
    'concurrency_limited',
    '1',
  ])
  return response
}

/** Shows that a request of another client gets a stream and a response. */
async function othersAreServed(): Promise<void> {
  const before = proxy.telephone.calls.length
  const other = await proxy.send(`GET /other HTTP/1.1\r\n${head('192.0.2.200')}`)
  const call = await eventually('the request arrives', () => proxy.telephone.calls[before])
  expect([call.opening.target, call.opening.client]).toEqual(['/other', '192.0.2.200'])
  call.respond(200, 'ok')
  expect((await other.readResponse()).status).toBe(200)
}

/** Each way opens six streams of one client, and shows that a seventh is refused. */
const WAYS: [how: string, open: () => Promise<void>][] = [
  [
    'on separate connections',
    async () => {
      for (let number = 0; number < 6; number += 1) await proxy.send(`GET / HTTP/1.1\r\n${head('192.0.2.7')}`)
      await streams(6)
      await refused(await proxy.send(`GET / HTTP/1.1\r\n${head('192.0.2.7')}`))
    },
  ],
  [
    'pipelined on one connection',
    async () => {
      const connection = await proxy.send(`GET / HTTP/1.1\r\n${head('192.0.2.7')}`.repeat(7))
      await streams(6)
      for (const call of proxy.telephone.calls.slice(0, 6)) call.respond(200, 'x', ['Content-Length', '1'])
      for (let number = 0; number < 6; number += 1) expect((await connection.readResponse()).status).toBe(200)
      await refused(connection)
      for (let number = 0; number < 6; number += 1) await proxy.send(`GET / HTTP/1.1\r\n${head('192.0.2.7')}`)
      await streams(6)
    },
  ],
  [
    'as uploads',
    async () => {
      const bytes = `POST / HTTP/1.1\r\n${head('192.0.2.7', 'Content-Length: 100\r\n')}x`
      for (let number = 0; number < 6; number += 1) await proxy.send(bytes)
      await streams(6)
      await refused(await proxy.send(bytes))
    },
  ],
  [
    'as streams of HTTP/2',
    async () => {
      const client = proxy.http2()
      const ask = () =>
        client.open({ ':authority': 'test', ':path': '/', 'x-forwarded-for': '192.0.2.7' }, true)
      for (let number = 0; number < 6; number += 1) ask()
      await streams(6)
      const response = await readHttp2Response(ask())
      expect([response.status, response.field('plugboard-error')]).toEqual([429, 'concurrency_limited'])
    },
  ],
  [
    'as upgrades',
    async () => {
      const more = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'
      const bytes = `GET / HTTP/1.1\r\n${head('192.0.2.7', more)}`
      for (let number = 0; number < 3; number += 1) await proxy.send(bytes)
      await streams(3)
      // Upgraded streams and streams before their upgrade count alike.
      for (const call of proxy.telephone.calls)
        call.stream.respond({ status: 101, statusText: '', fields: [] })
      for (let number = 0; number < 3; number += 1) await proxy.send(bytes)
      await streams(6)
      await refused(await proxy.send(bytes))
    },
  ],
  [
    'from addresses of one IPv6 network',
    async () => {
      for (let number = 1; number <= 6; number += 1) {
        await proxy.send(`GET / HTTP/1.1\r\n${head(`2001:db8:0:7:${number}::1`)}`)
      }
      await streams(6)
      expect(proxy.telephone.calls[0]?.opening.client).toBe('2001:db8:0:7::/64')
      await refused(await proxy.send(`GET / HTTP/1.1\r\n${head('2001:db8:0:7::')}`))
    },
  ],
]

describe('the streams of a telephone', () => {
  it.each(WAYS)(
    'have room for other clients when one client opens as many as it can, %s',
    async (_, take) => {
      await take()
      await othersAreServed()
      // The client can open a stream again when one of its streams has ended.
      proxy.telephone.calls.find(({ stream }) => stream.open)?.stream.reset('backend_closed')
      await streams(5)
      const again = await proxy.send(`GET /again HTTP/1.1\r\n${head('192.0.2.7')}`)
      await streams(6)
      again.destroy()
      await streams(5)
    },
  )

  it('count for all services of the telephone together', async () => {
    const line = [...proxy.harness.registry.lines()][0]!
    proxy.harness.registry.replace(line.tunnelId, [
      line,
      { ...line, id: lineId(line.tunnelId, 'second'), service: 'second' },
    ])
    proxy.harness.routes.push(harnessRoute({ host: 'second', service: 'second' }))
    for (let number = 0; number < 6; number += 1) await proxy.send(`GET / HTTP/1.1\r\n${head('192.0.2.7')}`)
    await streams(6)
    const second = `GET / HTTP/1.1\r\n${head('192.0.2.7').replace('Host: test', 'Host: second')}`
    await refused(await proxy.send(second))
  })

  it('may all belong to one client when the share is 100 %', async () => {
    await proxy.restart({ ...OPTIONS, limits: { clientSharePercent: 100 } })
    for (let number = 0; number < 8; number += 1) await proxy.send(`GET / HTTP/1.1\r\n${head('192.0.2.7')}`)
    await streams(8)
  })
})

describe('the limit of a service', () => {
  it('has room for other clients as well', async () => {
    proxy.harness.routes = [harnessRoute({ host: 'test', policy: { maxStreams: 4 } })]
    for (let number = 0; number < 3; number += 1) await proxy.send(`GET / HTTP/1.1\r\n${head('192.0.2.7')}`)
    await streams(3)
    await refused(await proxy.send(`GET / HTTP/1.1\r\n${head('192.0.2.7')}`))
    await othersAreServed()
  })

  it('of one stream allows exactly one stream', async () => {
    proxy.harness.routes = [harnessRoute({ host: 'test', policy: { maxStreams: 1 } })]
    await proxy.send(`GET / HTTP/1.1\r\n${head('192.0.2.7')}`)
    await streams(1)
    const response = await (await proxy.send(`GET / HTTP/1.1\r\n${head('192.0.2.8')}`)).readResponse()
    expect(field(response.headers, 'plugboard-error')).toBe('overloaded')
  })
})

describe('connections', () => {
  // A loopback address other than 127.0.0.1. Only Linux provides all of them.
  it.skipIf(process.platform !== 'linux')(
    'of one address leave room for other addresses, even when the limit of one address is larger',
    async () => {
      await proxy.restart({
        http2Cleartext: true,
        limits: { maxConnections: 4, maxConnectionsPerAddress: 10_000 },
      })
      for (let number = 0; number < 3; number += 1) await proxy.connect('127.0.0.2')
      expect(await (await proxy.connect('127.0.0.2')).readToEnd()).toHaveLength(0)
      proxy.telephone.handler = call => call.respond(200, 'ok')
      const other = await proxy.connect('127.0.0.3')
      await other.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n')
      expect((await other.readResponse()).status).toBe(200)
    },
  )
})

describe('a telephone that refuses a client', () => {
  it('does not get the request again through its other tunnel, but another telephone gets it', async () => {
    await proxy.restart({}, harness => harness.telephone(['web'], { instance: 'instance-one' }))
    const same = [proxy.telephone, await proxy.harness.telephone(['web'], { instance: 'instance-one' })]
    for (const each of same) each.handler = ({ stream }) => stream.reset('client_share')
    await refused(await proxy.send(`POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\nx`))
    expect(same.flatMap(({ calls }) => calls)).toHaveLength(1)
    const other = await proxy.harness.telephone(['web'], { instance: 'instance-two' })
    other.handler = call => call.respond(200, 'ok')
    for (let number = 0; number < 4; number += 1) {
      expect((await (await proxy.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n')).readResponse()).status).toBe(
        200,
      )
    }
  })
})

describe('the lowest accepted rate of bodies', () => {
  let clock: ManualClock

  beforeEach(async () => {
    clock = new ManualClock()
    await proxy.restart({
      ...OPTIONS,
      clock,
      limits: { minBodyRateBytes: 1000, bodyIdleTimeoutMs: 3_600_000 },
    })
  })

  /** Waits until the bytes have arrived, and advances the clock. */
  async function move(connection: RawConnection, bytes: number, ms: number): Promise<void> {
    const call = proxy.telephone.calls.at(-1)
    const before = call?.receivedBytes ?? 0
    await connection.send('x'.repeat(bytes))
    await call?.untilReceived(before + bytes)
    clock.advance(ms)
  }

  it('ends a slower body with 408, and the telephone gets an abort', async () => {
    const connection = await proxy.send(
      `POST / HTTP/1.1\r\n${head('192.0.2.7', 'Content-Length: 1000000\r\n')}`,
    )
    await streams(1)
    for (let second = 0; second < 30; second += 1) await move(connection, 990, 1000)
    const response = await connection.readResponse()
    expect([response.status, field(response.headers, 'connection')]).toEqual([408, 'close'])
    expect((await proxy.telephone.calls[0]?.aborted)?.reason).toBe('cancelled')
  })

  it('ends a slower body over HTTP/2 as well', async () => {
    const client = proxy.http2()
    const stream = client.open({ ':authority': 'test', ':path': '/', ':method': 'POST' })
    stream.write('x')
    await streams(1)
    clock.advance(31_000)
    expect((await readHttp2Response(stream)).status).toBe(408)
  })

  it('accepts a faster body, and a body that waits for its backend', async () => {
    const fast = await proxy.send(`POST / HTTP/1.1\r\n${head('192.0.2.7', 'Content-Length: 61000\r\n')}`)
    await streams(1)
    for (let second = 0; second < 61; second += 1) await move(fast, 1000, 1000)
    proxy.telephone.calls[0]?.respond(200, 'ok')
    expect((await fast.readResponse()).status).toBe(200)
    proxy.telephone.handler = call => {
      call.autoConsume = false
    }
    const blocked = await proxy.send(`POST / HTTP/1.1\r\n${head('192.0.2.7', 'Content-Length: 1000000\r\n')}`)
    const call = await eventually('it arrives', () => proxy.telephone.calls[1])
    await blocked.send('x'.repeat(400_000))
    await call.untilReceived(65_536)
    clock.advance(120_000)
    call.respond(200, 'ok')
    expect((await blocked.readResponse()).status).toBe(200)
  })
})
