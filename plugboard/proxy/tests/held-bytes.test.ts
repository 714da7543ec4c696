// The bytes that a hostile token holder and its clients can make a replica hold: unread bytes in every kind of stream and in
// both directions, and the memory that is left for all others. Memory is measured by the counted bytes. The tests of buffers
// show that the counts are correct (paused-body.test.ts, kept-chunks.test.ts,
// shared/protocol/session-flow.test.ts).

import { once } from 'node:events'
import { webSocketAccept } from '@vera-stack/shared/http/websocket-accept.ts'
import { HeldBytes, type Overrun } from '@vera-stack/shared/protocol/streams/held-bytes.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import type { FakeCall, FakeTelephone } from '../../../test/support/harness/fake-telephone.ts'
import { harnessRoute } from '../../../test/support/harness/proxy-harness.ts'
import { type CutTelephone, useProxy } from '../../../test/support/harness/use-proxy.ts'
import type { Http2Client } from '../../../test/support/http/http2-client.ts'
import { field, type RawConnection, rawExchange } from '../../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { heldLimits } from '../../telephones/held-budgets.ts'

useLeakCheck()

const MIB = 2 ** 20
const BUDGET_BYTES = 2 * MIB
/** One message, and the bytes that one turn of the event loop may add. */
const OVERSHOOT_BYTES = 2 * MIB

let held: HeldBytes
let token: HeldBytes
let hostile: CutTelephone
let overruns: Overrun[]
let peakBytes: number

// Runs after the proxy is closed.
afterEach(() => eventually('all counted bytes are released', () => token.heldBytes === 0 || undefined))

const proxy = useProxy({ http2Cleartext: true }, async harness => {
  harness.routes = [
    harnessRoute({ host: 'hostile', service: 'hostile' }),
    harnessRoute({ host: 'test', service: 'web' }),
  ]
  overruns = []
  peakBytes = 0
  token = new HeldBytes({ budgetBytes: 2 * BUDGET_BYTES })
  held = accountOf(token)
  hostile = await harness.telephone(['hostile'], { held })
  const honest = await harness.telephone(['web'], { held: accountOf(new HeldBytes({ budgetBytes: MIB })) })
  honest.handler = call => call.respond(200, 'served')
  return hostile
})

/** The account of one tunnel, which records its highest count. */
function accountOf(parent: HeldBytes): HeldBytes {
  const account = new HeldBytes({
    budgetBytes: BUDGET_BYTES,
    parent,
    onOverrun: overrun => overruns.push(overrun),
  })
  const { add } = account
  account.add = bytes => {
    add.call(account, bytes)
    peakBytes = Math.max(peakBytes, account.heldBytes)
  }
  return account
}

/** A client that sends the request and does not read the response. */
async function stalledClient(request: string | Buffer): Promise<RawConnection> {
  const client = await proxy.connect()
  client.socket.pause()
  await client.send(request)
  return client
}

const get = 'GET / HTTP/1.1\r\nHost: hostile\r\n\r\n'
const served = async () =>
  (await rawExchange(proxy.harness.port, 'GET / HTTP/1.1\r\nHost: test\r\n\r\n')).body

/** Sends as many bytes as it has credit for, then waits for more credit. */
function flood(call: FakeCall, chunkBytes = 64 * 1024): void {
  call.stream.respond({ status: 200, statusText: 'OK', fields: [] })
  const more = () => {
    while (call.stream.open && call.stream.write(Buffer.alloc(chunkBytes)));
  }
  call.onWritable = more
  more()
}

async function expectBounded(): Promise<void> {
  expect(peakBytes).toBeLessThanOrEqual(BUDGET_BYTES + OVERSHOOT_BYTES)
  expect((await served()).toString()).toBe('served')
}

describe('responses that clients do not read', () => {
  it('stay within the budget; the streams that hold most are aborted visibly', async () => {
    hostile.handler = call => flood(call)
    for (let count = 0; count < 20; count += 1) await stalledClient(get)
    await eventually('streams are reset', () => overruns.length > 0 || undefined)
    await expectBounded()
    expect(hostile.session.state).toBe('open')
    const [reset] = await Promise.all(
      hostile.calls.map(async call => (call.stream.open ? undefined : (await call.aborted).reason)),
    ).then(reasons => reasons.filter(reason => reason !== undefined))
    expect(reset).toBe('over_budget')
    expect(proxy.harness.accessLog.filter(({ code }) => code === 'over_budget').length).toBeGreaterThan(0)
    expect(proxy.harness.proxy.counters.truncated).toBeGreaterThan(0)
  })

  it('stay within the budget when they are complete and their streams have ended', async () => {
    hostile.handler = call => call.respond(200, 'x'.repeat(200_000))
    // Responses on one connection are sent one after the other, so later ones wait.
    for (let count = 0; count < 4; count += 1) void stalledClient(get.repeat(60))
    await eventually('responses are given up', () => overruns.length > 0 || undefined)
    await expectBounded()
    expect(hostile.session.state).toBe('open')
  })

  it('over HTTP/2 stay within the budget', async () => {
    hostile.handler = call => flood(call)
    const client = proxy.http2()
    const streams = Array.from({ length: 60 }, () =>
      client.open({ ':authority': 'hostile', ':path': '/' }, true).pause(),
    )
    await eventually('streams are reset', () => overruns.length > 0 || undefined)
    await expectBounded()
    for (const stream of streams) stream.close()
    client.close()
  })

  it('of heads alone stay within the budget', async () => {
    const fields = Array.from({ length: 2000 }, (_, index) => [`x-${index}`, 'v'.repeat(20)]).flat()
    hostile.handler = call => call.stream.respond({ status: 200, statusText: 'OK', fields })
    for (let count = 0; count < 40; count += 1) void stalledClient(get)
    await eventually('streams are reset', () => overruns.length > 0 || undefined)
    await expectBounded()
  })
})

describe('uploads that the telephone does not accept', () => {
  beforeEach(async () => {
    hostile.session.close('going_away')
    await hostile.closed
    // The stream never gets any further credit.
    hostile = await proxy.harness.telephone(['hostile'], { held, initialWindowBytes: 1024 })
    hostile.handler = call => {
      call.autoConsume = false
    }
  })

  it('stay within the budget over HTTP/1.1, and clients get an error', async () => {
    const head = 'POST / HTTP/1.1\r\nHost: hostile\r\nContent-Length: 10000000\r\n\r\n'
    const clients = await Promise.all(
      Array.from({ length: 40 }, async () => {
        const client = await proxy.connect()
        void client.send(Buffer.concat([Buffer.from(head), Buffer.alloc(1_000_000)]))
        return client
      }),
    )
    const first = await Promise.race(clients.map(client => client.readResponse()))
    expect([first.status, field(first.headers, 'plugboard-error')]).toEqual([503, 'over_budget'])
    await expectBounded()
    expect(hostile.session.state).toBe('open')
  })

  it('stay within the budget over HTTP/2, whose clients send a whole window before it is read', async () => {
    const client = proxy.http2()
    const streams = Array.from({ length: 30 }, () => {
      const stream = client.open({ ':method': 'POST', ':authority': 'hostile', ':path': '/' })
      stream.write(Buffer.alloc(1_000_000))
      return stream
    })
    await eventually('streams are reset', () => overruns.length > 0 || undefined)
    await expectBounded()
    for (const stream of streams) stream.close()
    client.close()
  })
})

describe('requests that are kept', () => {
  it('for a retry count while they wait for their response', async () => {
    hostile.handler = () => undefined
    const body = 'x'.repeat(60_000)
    const request = `POST / HTTP/1.1\r\nHost: hostile\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    for (let count = 0; count < 20; count += 1) void stalledClient(request)
    await eventually('all have arrived', () => hostile.calls.length === 20 || undefined)
    expect(held.heldBytes).toBe(20 * body.length)
    for (const call of hostile.calls) call.respond(204)
    await eventually('no byte is kept', () => held.heldBytes === 0 || undefined)
  })

  it('for a retry stay within the budget', async () => {
    hostile.handler = () => undefined
    const body = 'x'.repeat(60_000)
    const request = `POST / HTTP/1.1\r\nHost: hostile\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    for (let count = 0; count < 60; count += 1) void stalledClient(request)
    await eventually('streams are reset', () => overruns.length > 0 || undefined)
    await expectBounded()
  })

  it('as bytes before a 101 stay within the budget', async () => {
    hostile.handler = () => undefined
    const upgrade = 'GET / HTTP/1.1\r\nHost: hostile\r\nConnection: Upgrade\r\nUpgrade: any\r\n\r\n'
    for (let count = 0; count < 60; count += 1) {
      void stalledClient(Buffer.concat([Buffer.from(upgrade), Buffer.alloc(70_000)]))
    }
    await eventually('streams are reset', () => overruns.length > 0 || undefined)
    await expectBounded()
  })
})

describe('upgraded connections', () => {
  const upgrade = 'GET / HTTP/1.1\r\nHost: hostile\r\nConnection: Upgrade\r\nUpgrade: any\r\n\r\n'

  it('whose clients do not read stay within the budget', async () => {
    hostile.handler = call => {
      call.stream.respond({ status: 101, statusText: '', fields: ['Upgrade', 'any'] })
      const more = () => {
        while (call.stream.open && call.stream.write(Buffer.alloc(65_536)));
      }
      call.onWritable = more
      more()
    }
    for (let count = 0; count < 20; count += 1) void stalledClient(upgrade)
    await eventually('streams are reset', () => overruns.length > 0 || undefined)
    await expectBounded()
  })

  it('that have ended, but whose clients still have bytes to read, stay within the budget', async () => {
    hostile.handler = call => {
      call.stream.respond({ status: 101, statusText: '', fields: ['Upgrade', 'any'] })
      // More than the kernel buffers for a client that does not read.
      for (let count = 0; count < 20; count += 1) call.stream.write(Buffer.alloc(250_000))
      call.stream.end()
    }
    const clients = await Promise.all(Array.from({ length: 40 }, () => stalledClient(upgrade)))
    await eventually('all are upgraded', () => proxy.harness.proxy.counters.upgrades === 40 || undefined)
    for (const client of clients) client.end()
    await eventually('streams are reset', () => overruns.length > 0 || undefined)
    await expectBounded()
  })
})

describe('after the end', () => {
  it('an upgraded connection that idles out counts no bytes, even when the telephone ended its half before', async () => {
    proxy.harness.routes = [
      harnessRoute({ host: 'hostile', service: 'hostile', policy: { upgradeIdleTimeoutMs: 300 } }),
    ]
    hostile.handler = call => {
      const proof = webSocketAccept(call.field('sec-websocket-key') ?? '')
      const fields = ['Upgrade', 'websocket', 'Sec-WebSocket-Accept', proof]
      call.stream.respond({ status: 101, statusText: '', fields })
      // More than the window of the client, less than that of the stream.
      call.stream.write(Buffer.alloc(200_000))
      call.stream.end()
    }
    const client = proxy.http2()
    await once(client.session, 'remoteSettings')
    const stream = client
      .open({
        ':authority': 'hostile',
        ':path': '/',
        ':scheme': 'http',
        ':method': 'CONNECT',
        ':protocol': 'websocket',
        'sec-websocket-version': '13',
      })
      .pause()
    await eventually('the connection has idled out', () => stream.closed || undefined)
    expect(peakBytes).toBeGreaterThan(100_000)
    await eventually('no byte is counted', () => held.heldBytes === 0 || undefined)
    client.close()
  })
})

describe('many tunnels', () => {
  it('of one token share its budget', async () => {
    hostile.session.close('going_away')
    const tunnels: FakeTelephone[] = []
    for (let count = 0; count < 6; count += 1) {
      const account = new HeldBytes({ budgetBytes: 2 * BUDGET_BYTES, parent: token })
      tunnels.push(await proxy.harness.telephone(['hostile'], { held: account }))
    }
    for (const tunnel of tunnels) tunnel.handler = call => flood(call)
    let evicted = 0
    let peakOfToken = 0
    const { add } = token
    token.add = bytes => {
      add.call(token, bytes)
      peakOfToken = Math.max(peakOfToken, token.heldBytes)
    }
    for (let count = 0; count < 36; count += 1) void stalledClient(get)
    await eventually('streams of any tunnel are reset', () => {
      evicted = tunnels.flatMap(({ calls }) => calls).filter(({ stream }) => !stream.open).length
      return evicted > 0 || undefined
    })
    expect(peakOfToken).toBeLessThanOrEqual(2 * BUDGET_BYTES + OVERSHOOT_BYTES)
    expect((await served()).toString()).toBe('served')
    expect(tunnels.map(({ session }) => session.state)).toEqual(tunnels.map(() => 'open'))
  })
})

it('a thousand slow readers with 256 KiB each fit into the default budget of a tunnel', async () => {
  // A quarter of it.
  const streams = 250
  const budgetBytes = heldLimits(2 ** 40).tunnelBytes / 4
  const budget = new HeldBytes({ budgetBytes, onOverrun: overrun => overruns.push(overrun) })
  const patient = await proxy.harness.telephone(['slow'], { held: budget })
  proxy.harness.routes = [harnessRoute({ host: 'hostile', service: 'slow' })]
  patient.handler = call => flood(call)
  const clients: Http2Client[] = []
  for (let count = 0; count < streams; count += 50) {
    const client = proxy.http2()
    clients.push(client)
    for (let each = 0; each < 50; each += 1) {
      client.open({ ':authority': 'hostile', ':path': '/' }, true).pause()
    }
  }
  // All bytes, except those in the windows of the clients.
  const waitingBytes = streams * (256 - 64 - 32) * 1024
  await eventually('the windows are full', () => budget.heldBytes >= waitingBytes || undefined)
  expect([overruns, patient.calls.filter(({ stream }) => !stream.open)]).toEqual([[], []])
  for (const client of clients) client.close()
  await eventually('no byte is held', () => budget.heldBytes === 0 || undefined)
})
