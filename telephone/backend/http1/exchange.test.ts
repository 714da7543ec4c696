import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, createServer, request as nodeRequest } from 'node:http'

import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@vera-stack/shared/clock.ts'
import { parseTarget } from '@vera-stack/shared/net/backend-target.ts'
import type { Fields, StreamResponseHead } from '@vera-stack/shared/protocol/streams/stream.ts'
import type { TunnelError } from '@vera-stack/shared/protocol/wire/reason.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { type BackendConnection, ScriptedBackend } from '../../testing/scripted-backend.ts'
import type { BackendRequest } from '../backend-exchange.ts'
import { createConnector } from '../connector.ts'
import { Http1Exchange } from './exchange.ts'
import { Pool, type PoolOptions } from './pool/pool.ts'

useLeakCheck()

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

class Client {
  readonly exchange: Http1Exchange
  readonly heads: StreamResponseHead[] = []
  body = ''
  trailers: Fields | undefined
  state: 'open' | 'complete' | 'failed' = 'open'
  error: TunnelError | undefined
  drains = 0
  #waiting: (() => void)[] = []

  constructor(pool: Pool, request: Partial<BackendRequest> = {}) {
    const wake = () => {
      for (const resolve of this.#waiting.splice(0)) resolve()
    }
    this.exchange = new Http1Exchange(
      pool,
      { method: 'GET', target: '/', fields: ['Host', 'a.test'], upgrade: false, ended: true, ...request },
      { kind: 'preserve', fallback: 'backend.test' },
      {
        onResponseHead: head => {
          this.heads.push(head)
          wake()
        },
        onResponseBody: chunk => {
          this.body += chunk.toString('latin1')
          wake()
        },
        onResponseWaiting: () => undefined,
        onResponseEnd: trailers => {
          this.state = 'complete'
          this.trailers = trailers
          wake()
        },
        onRoom: () => {
          this.drains += 1
          wake()
        },
        onFailure: error => {
          this.state = 'failed'
          this.error = error
          wake()
        },
      },
    )
    this.exchange.run()
  }

  async until(condition: (client: Client) => boolean): Promise<this> {
    while (!condition(this)) await new Promise<void>(resolve => this.#waiting.push(resolve))
    return this
  }

  finished(): Promise<this> {
    return this.until(c => c.state !== 'open')
  }
}

let backend: ScriptedBackend
const pools: Pool[] = []

function poolFor(target: string, options: Partial<PoolOptions> = {}): Pool {
  const pool = new Pool(createConnector(parseTarget(target)), systemClock, options)
  pools.push(pool)
  return pool
}
const poolHere = (options: Partial<PoolOptions> = {}): Pool => poolFor(`127.0.0.1:${backend.port}`, options)

beforeEach(async () => {
  backend = await new ScriptedBackend().listen()
})
afterEach(async () => {
  for (const pool of pools.splice(0)) pool.close()
  await backend.close()
})

/** Completes one exchange. Its connection is idle in the pool afterwards. */
async function warmUp(pool: Pool, response = OK): Promise<BackendConnection> {
  const client = new Client(pool)
  const connection = await backend.connection(backend.connections.length)
  await connection.request()
  connection.say(response)
  await client.finished()
  return connection
}

/** Returns a pool with one connection that refuses a second request at once. */
const poolForOne = () => poolHere({ maxConnections: 1, maxWaiting: 0 })

/** Checks that the next request opens a connection, so the pool has room and no idle connection. */
async function opensAnother(pool: Pool): Promise<void> {
  const before = new Set(backend.connections)
  const client = new Client(pool)
  expect(client.error).toBeUndefined()
  const asked = () => backend.connections.find(c => !before.has(c) && c.received !== '')
  await expect.poll(asked, { message: 'a new connection has the request' }).toBeDefined()
  asked()!.say(OK)
  expect(await client.finished()).toMatchObject({ state: 'complete' })
}

describe('requests', () => {
  it('are sent unchanged, with the right framing', async () => {
    const pool = poolHere()
    const plain = new Client(pool, { fields: ['HOST', 'x', 'X-A', '1', 'x-a', '2'] })
    const connection = await backend.connection()
    expect(await connection.request()).toBe('GET / HTTP/1.1\r\nHOST: x\r\nX-A: 1\r\nx-a: 2\r\n\r\n')
    connection.say(OK)
    expect(await plain.finished()).toMatchObject({ state: 'complete', body: 'ok' })

    const empty = new Client(pool, { method: 'POST', fields: [] })
    expect(await connection.request()).toBe(
      'POST / HTTP/1.1\r\nHost: backend.test\r\nContent-Length: 0\r\n\r\n',
    )
    connection.say(OK)
    await empty.finished()

    const length = new Client(pool, { method: 'DELETE', fields: ['Content-Length', '5'], ended: false })
    length.exchange.write(Buffer.from('he'))
    length.exchange.write(Buffer.from('llo'))
    length.exchange.end(undefined)
    expect(await connection.request()).toContain('Content-Length: 5\r\n')
    await connection.until(c => c.received === 'hello')
    connection.received = ''
    connection.say(OK)
    await length.finished()

    const chunked = new Client(pool, {
      method: 'PUT',
      fields: ['transfer-encoding', 'chunked'],
      ended: false,
    })
    expect(await connection.request()).toBe(
      'PUT / HTTP/1.1\r\nHost: backend.test\r\nTransfer-Encoding: chunked\r\n\r\n',
    )
    chunked.exchange.write(Buffer.from('0123456789abcdef'))
    await connection.until(c => c.received === '10\r\n0123456789abcdef\r\n')
    chunked.exchange.end(['X-Sum', '1', 'Content-Length', '3'])
    await connection.until(c => c.received.endsWith('\r\n0\r\nX-Sum: 1\r\n\r\n'))
    connection.say(OK)
    await chunked.finished()
    expect(backend.connections).toHaveLength(1)
  })

  it.each([
    ['longer', 'he', 'llo!'],
    ['shorter', 'he', 'l'],
  ])('with a body %s than its length never look complete', async (_name, first, second) => {
    const client = new Client(poolHere(), { method: 'PUT', fields: ['Content-Length', '5'], ended: false })
    const connection = await backend.connection()
    client.exchange.write(Buffer.from(first))
    await connection.until(c => c.received.endsWith('he'))
    client.exchange.write(Buffer.from(second))
    client.exchange.end(undefined)
    expect((await client.finished()).error?.reason).toBe('protocol_error')
    await connection.until(c => c.ended || c.closed)
    expect(connection.received).not.toContain('!')
  })

  it('pause a sender that is faster than the backend, and resume it', async () => {
    const client = new Client(poolHere(), { method: 'PUT', fields: [], ended: false })
    const connection = await backend.connection()
    await connection.request()
    connection.socket.pause()
    const chunk = Buffer.alloc(65_536, 'x')
    let sent = 0
    let room = true
    for (; room && sent < 64 * 1024 * 1024; sent += chunk.length) {
      room = client.exchange.write(chunk)
      if (!room) {
        // The kernel accepts more bytes in the following turns.
        for (let turn = 0; turn < 5 && client.drains === 0; turn += 1) await new Promise(setImmediate)
        if (client.drains > 0) {
          client.drains = 0
          room = true
        }
      }
    }
    expect(sent).toBeLessThan(64 * 1024 * 1024)
    connection.socket.resume()
    await client.until(c => c.drains > 0)
    client.exchange.abort()
  })
})

describe('responses', () => {
  it('are forwarded with their interim heads and trailers', async () => {
    const client = new Client(poolHere())
    const connection = await backend.connection()
    await connection.request()
    connection.say('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n')
    await client.until(c => c.heads.length === 1)
    connection.say(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n',
    )
    await client.finished()
    expect(client.heads.map(head => head.status)).toEqual([103, 200])
    expect(client).toMatchObject({ state: 'complete', body: 'ok', trailers: ['X', 'y'] })
  })

  it('without a length end with the connection, which the pool closes', async () => {
    const client = new Client(poolHere())
    const connection = await backend.connection()
    await connection.request()
    connection.say('HTTP/1.1 200 OK\r\n\r\nall of it')
    connection.socket.end()
    expect(await client.finished()).toMatchObject({ state: 'complete', body: 'all of it' })
    await connection.until(c => c.closed)
  })

  it.each([
    ['before the head', ''],
    ['in the head', 'HTTP/1.1 200 OK\r\nCont'],
    ['after an interim head', 'HTTP/1.1 103 Early Hints\r\n\r\n'],
    ['in a body of known length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel'],
    ['in a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel'],
    ['before the last chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n'],
  ])('that are cut off %s are failures, with a FIN and with a reset', async (_name, text) => {
    for (const how of ['end', 'resetAndDestroy'] as const) {
      const pool = poolForOne()
      const client = new Client(pool, { method: 'POST' })
      const connection = await backend.connection(backend.connections.length)
      await connection.request()
      connection.say(text)
      if (text.endsWith('hel')) await client.until(c => c.body === 'hel')
      connection.socket[how]()
      expect((await client.finished()).error?.reason).toBe('backend_closed')
      await opensAnother(pool)
    }
  })

  it('that break HTTP close the connection', async () => {
    const client = new Client(poolHere())
    const connection = await backend.connection()
    await connection.request()
    connection.say('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n')
    expect((await client.finished()).error?.reason).toBe('backend_protocol_error')
    await connection.until(c => c.closed || c.ended)
  })

  it('in HTTP/2 have an error that names the scheme for the target', async () => {
    const client = new Client(poolHere())
    const connection = await backend.connection()
    await connection.request()
    connection.say('\0\0\x06\x04\0\0\0\0\0\0\x04\0\x10\0\0')
    await client.finished()
    expect(client.error?.reason).toBe('backend_protocol_error')
    expect(client.error?.detail).toContain('h2c://')
  })

  it('pause the backend while the reader is slower', async () => {
    const client = new Client(poolHere())
    const connection = await backend.connection()
    await connection.request()
    connection.say('HTTP/1.1 200 OK\r\n\r\n')
    await client.until(c => c.heads.length === 1)
    client.exchange.pause()
    const total = 32 * 1024 * 1024
    connection.socket.write(Buffer.alloc(total, 'x'))
    // Waits until the buffers of the kernel are full and no more bytes are written.
    for (let last = -1, turns = 0; turns < 50; turns += 1) {
      await new Promise(setImmediate)
      if (connection.socket.writableLength !== last) turns = 0
      last = connection.socket.writableLength
    }
    expect(client.body.length).toBeLessThan(total / 4)
    client.exchange.resume()
    connection.socket.end()
    await client.finished()
    expect(client.body.length).toBe(total)
  })
})

describe('connections', () => {
  it('are kept and used again', async () => {
    const pool = poolHere()
    const first = new Client(pool)
    const second = new Client(pool)
    for (const number of [0, 1]) {
      const connection = await backend.connection(number)
      await connection.request()
      connection.say(OK)
    }
    await Promise.all([first.finished(), second.finished()])
    const third = new Client(pool)
    const fourth = new Client(pool)
    await Promise.all(backend.connections.map(c => c.until(x => x.received !== '')))
    for (const connection of backend.connections) connection.say(OK)
    await Promise.all([third.finished(), fourth.finished()])
    expect(backend.connections).toHaveLength(2)
  })

  it.each([
    ['sends Connection: close', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'],
    ['sends bytes behind its response', `${OK}HTTP/1.1 200 OK\r\n\r\nsurprise`],
    ['sends a body with a 204', 'HTTP/1.1 204 No Content\r\n\r\nsurprise'],
    ['announces a body with a 204', 'HTTP/1.1 204 No Content\r\nContent-Length: 8\r\n\r\n'],
  ])('are closed when the backend %s', async (_name, text) => {
    const pool = poolForOne()
    const client = new Client(pool)
    const connection = await backend.connection()
    await connection.request()
    connection.say(text)
    expect(await client.finished()).toMatchObject({ state: 'complete' })
    expect(client.body).not.toContain('surprise')
    await connection.until(c => c.ended || c.closed)
    await opensAnother(pool)
  })

  it('on which the backend sends bytes while they are idle are closed', async () => {
    const pool = poolForOne()
    const connection = await warmUp(pool)
    connection.say('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison')
    await connection.until(c => c.closed || c.ended)
    await opensAnother(pool)
  })

  it('with a response before the end of the upload are closed, and the response is complete', async () => {
    const pool = poolForOne()
    const client = new Client(pool, { method: 'POST', fields: ['Content-Length', '1000'], ended: false })
    const connection = await backend.connection()
    await connection.request()
    client.exchange.write(Buffer.from('some'))
    await connection.until(c => c.received === 'some')
    connection.say('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno')
    expect(await client.finished()).toMatchObject({ state: 'complete', body: 'no' })
    expect(client.exchange.write(Buffer.from('more'))).toBe(true)
    await connection.until(c => c.ended || c.closed)
    expect(connection.received).toBe('some')
    await opensAnother(pool)
  })

  it('that the backend closed while idle cause no failed GET, because it is repeated', async () => {
    const pool = poolHere()
    const stale = await warmUp(pool)
    // The backend closes after the request was sent.
    const client = new Client(pool)
    await stale.request()
    stale.socket.resetAndDestroy()
    const fresh = await backend.connection(1)
    expect(await fresh.request()).toContain('GET /')
    fresh.say(OK)
    expect(await client.finished()).toMatchObject({ state: 'complete', body: 'ok' })
  })

  it('that the backend closes during a POST cause no repetition', async () => {
    const pool = poolHere()
    const stale = await warmUp(pool)
    const client = new Client(pool, { method: 'POST' })
    await stale.request()
    stale.socket.resetAndDestroy()
    expect((await client.finished()).error?.reason).toBe('backend_closed')
    expect(backend.connections).toHaveLength(1)
  })

  describe('that are idle', () => {
    const POST: Partial<BackendRequest> = { method: 'POST' }
    const PUT: Partial<BackendRequest> = { method: 'PUT', fields: ['Content-Length', '4'], ended: false }

    /** Resolves with the number of the connection on which the backend gets the next request. */
    async function usedBy(
      request: Partial<BackendRequest>,
      idleMs: number,
      response = OK,
      max = 512,
    ): Promise<number> {
      const clock = new ManualClock()
      const pool = new Pool(createConnector(parseTarget(`127.0.0.1:${backend.port}`)), clock, {
        maxConnections: max,
      })
      pools.push(pool)
      const idle = await warmUp(pool, response)
      // No timer runs in between, as when the event loop is busy.
      clock.freeze(idleMs)
      const client = new Client(pool, request)
      if (request === PUT) client.exchange.write(Buffer.from('body'))
      if (request === PUT) client.exchange.end(undefined)
      const arrived = idle.request().then(() => idle)
      const used = await Promise.race([arrived, backend.connection(1)])
      used.say(OK)
      await client.finished()
      expect(client.body).toBe('ok')
      return backend.connections.indexOf(used)
    }

    it.each([
      ['a GET', {}],
      ['a POST', POST],
      ['a PUT with a body', PUT],
    ])('for less than 0.8 s are used for %s', async (_name, request) => {
      expect(await usedBy(request, 799)).toBe(0)
    })

    it.each([
      ['a POST', POST],
      ['a PUT with a body', PUT],
    ])('for longer are not used for %s, which could not be repeated', async (_name, request) => {
      expect(await usedBy(request, 800)).toBe(1)
    })

    it('for longer are used for requests that can be repeated', async () => {
      expect(await usedBy({}, 3999)).toBe(0)
    })

    it('are used for all requests during the keep-alive time of the backend', async () => {
      const hinted = 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=3\r\nContent-Length: 2\r\n\r\nok'
      expect(await usedBy(POST, 1999, hinted)).toBe(0)
    })

    it('and not usable are closed for a new one at the limit', async () => {
      expect(await usedBy(POST, 800, OK, 1)).toBe(1)
      await (await backend.connection(0)).until(connection => connection.ended)
    })
  })

  it('that the backend closes after body bytes cause no repetition', async () => {
    const pool = poolHere()
    const stale = await warmUp(pool)
    const client = new Client(pool, { method: 'PUT', fields: ['Content-Length', '9'], ended: false })
    client.exchange.write(Buffer.from('some'))
    await stale.until(c => c.received.endsWith('some'))
    stale.socket.resetAndDestroy()
    expect((await client.finished()).error?.reason).toBe('backend_closed')
  })

  it('are limited; requests wait in turn, and are refused when too many wait', async () => {
    const pool = poolHere({ maxConnections: 1, maxWaiting: 1 })
    const first = new Client(pool)
    const second = new Client(pool)
    const third = new Client(pool)
    expect(third.error?.reason).toBe('overloaded')
    const connection = await backend.connection()
    await connection.request()
    connection.say(OK)
    await first.finished()
    await connection.request()
    connection.say(OK)
    expect(await second.finished()).toMatchObject({ state: 'complete' })
    expect(backend.connections).toHaveLength(1)
  })

  it('have a limit for the wait', async () => {
    const pool = poolHere({ maxConnections: 1, maxWaitMs: 5 })
    const first = new Client(pool)
    const second = new Client(pool)
    expect((await second.finished()).error?.reason).toBe('overloaded')
    first.exchange.abort()
  })

  it('are closed when idle for too long, and sooner with a shorter keep-alive of the backend', async () => {
    const pool = poolHere({ keepAliveMs: 20 })
    const connection = await warmUp(pool)
    await connection.until(c => c.ended)
    const hinted = poolHere({ keepAliveMs: 60_000 })
    const client = new Client(hinted)
    const other = await backend.connection(1)
    await other.request()
    other.say('HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 0\r\n\r\n')
    await client.finished()
    await other.until(c => c.ended)
  })

  it('are closed at once when the client disconnects', async () => {
    for (const text of ['', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc']) {
      const pool = poolForOne()
      const client = new Client(pool)
      const connection = await backend.connection(backend.connections.length)
      await connection.request()
      connection.say(text)
      if (text !== '') await client.until(c => c.body === 'abc')
      client.exchange.abort()
      await connection.until(c => c.ended || c.closed)
      await opensAnother(pool)
    }
  })

  it('can be cancelled while they are opened or awaited', async () => {
    const pool = poolHere({ maxConnections: 1 })
    const opening = new Client(pool)
    const waiting = new Client(pool)
    waiting.exchange.abort()
    opening.exchange.abort()
    await opensAnother(pool)
  })

  it('reach localhost on IPv6 and on IPv4', async () => {
    for (const host of ['::1', '127.0.0.1']) {
      const other = await new ScriptedBackend().listen({ port: 0, host })
      const client = new Client(poolFor(`localhost:${other.port}`))
      const connection = await other.connection()
      await connection.request()
      connection.say(OK)
      expect(await client.finished()).toMatchObject({ state: 'complete' })
      for (const pool of pools.splice(0)) pool.close()
      await other.close()
    }
  })

  it('reach unix sockets', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'telephone-'))
    const path = join(folder, 'backend.sock')
    const other = await new ScriptedBackend().listen({ path })
    const client = new Client(poolFor(`unix:${path}`))
    const connection = await other.connection()
    await connection.request()
    connection.say(OK)
    expect(await client.finished()).toMatchObject({ state: 'complete' })
    for (const pool of pools.splice(0)) pool.close()
    await other.close()
    rmSync(folder, { recursive: true })
  })

  it('that cannot be made are backend_unreachable', async () => {
    const closed = await new ScriptedBackend().listen()
    const { port } = closed
    await closed.close()
    const client = new Client(poolFor(`127.0.0.1:${port}`))
    expect((await client.finished()).error).toMatchObject({ reason: 'backend_unreachable', delivered: 'no' })
    const missing = new Client(poolFor('unix:/nowhere/at/all.sock'))
    expect((await missing.finished()).error?.reason).toBe('backend_unreachable')
  })
})

describe('connections that a client has authenticated', () => {
  const ALICE = { affinity: 'alice', fields: ['Host', 'a', 'Authorization', 'NTLM TlRMTVNTUAAD'] }
  const LATER = { affinity: 'alice' }
  const CHALLENGE = 'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM TlRM\r\nContent-Length: 2\r\n\r\nno'

  /** Completes one exchange. Resolves with the number of its connection. */
  async function ask(pool: Pool, request: Partial<BackendRequest> = {}, response = OK): Promise<number> {
    const client = new Client(pool, request)
    const number = await Promise.race([
      ...backend.connections.map(async (connection, index) => {
        await connection.until(c => c.received.includes('\r\n\r\n'))
        return index
      }),
      backend.connection(backend.connections.length).then(() => backend.connections.length - 1),
    ])
    const connection = await backend.connection(number)
    await connection.request()
    connection.say(response)
    await client.finished()
    expect(client.state).toBe('complete')
    return number
  }

  const isClosed = async (number: number) => (await backend.connection(number)).until(c => c.ended)

  it.each(['NTLM TlRM', 'Negotiate YII', 'negotiate', 'KERBEROS x'])(
    'by %s carry no request of another client, and close when no client is known',
    async credential => {
      const pool = poolHere()
      expect(await ask(pool, { fields: ['Host', 'a', 'authorization', credential] })).toBe(0)
      await isClosed(0)
      expect(await ask(pool)).toBe(1)
    },
  )

  it.each(['NTLM', 'Negotiate', 'Basic realm="a", NTLM', 'Basic realm="a",negotiate'])(
    'close after a 401 with %s',
    async challenge => {
      const pool = poolHere()
      const response = `HTTP/1.1 401 No\r\nWWW-Authenticate: ${challenge}\r\nContent-Length: 2\r\n\r\nno`
      expect(await ask(pool, {}, response)).toBe(0)
      await isClosed(0)
      expect(await ask(pool)).toBe(1)
    },
  )

  it.each(['Basic YTpi', 'Bearer x', 'NTLMv3 x', 'Digest username="ntlm"'])(
    'are not authenticated by %s',
    async credential => {
      const pool = poolHere()
      expect(await ask(pool, { fields: ['Host', 'a', 'Authorization', credential] })).toBe(0)
      const response =
        'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="ntlm"\r\nContent-Length: 2\r\n\r\nno'
      expect([await ask(pool, {}, response), await ask(pool)]).toEqual([0, 0])
    },
  )

  it('are used only for requests of the same client', async () => {
    const pool = poolHere()
    expect(await ask(pool, ALICE, CHALLENGE)).toBe(0)
    expect(await ask(pool, ALICE)).toBe(0)
    expect(await ask(pool, LATER)).toBe(0)
    expect(await ask(pool, { affinity: 'bob' })).toBe(1)
    expect(await ask(pool)).toBe(1)
    expect(await ask(pool, LATER)).toBe(0)
  })

  it('are used for a POST of their client after any idle time', async () => {
    const clock = new ManualClock()
    const pool = new Pool(createConnector(parseTarget(`127.0.0.1:${backend.port}`)), clock)
    pools.push(pool)
    await ask(pool, ALICE)
    clock.freeze(3999)
    expect(await ask(pool, { ...LATER, method: 'POST' })).toBe(0)
    clock.freeze(4000)
    expect(await ask(pool, LATER)).toBe(1)
    await isClosed(0)
  })

  it('are closed for other clients at the limit', async () => {
    const pool = poolHere({ maxConnections: 1 })
    await ask(pool, ALICE, CHALLENGE)
    expect(await ask(pool)).toBe(1)
    await isClosed(0)
  })

  it('are closed for waiting requests, except during an authentication', async () => {
    const pool = poolHere({ maxConnections: 1 })
    const alice = new Client(pool, ALICE)
    const first = await backend.connection(0)
    await first.request()
    const waiting = new Client(pool)
    first.say(CHALLENGE)
    await alice.finished()
    const again = new Client(pool, ALICE)
    await first.request()
    first.say(OK)
    expect((await again.finished()).body).toBe('ok')
    const second = await backend.connection(1)
    await isClosed(0)
    await second.request()
    second.say(OK)
    expect((await waiting.finished()).body).toBe('ok')
  })

  it('close when idle for too long, and with the pool', async () => {
    const pool = poolHere({ keepAliveMs: 20 })
    await ask(pool, ALICE)
    await isClosed(0)
    const other = poolHere()
    const number = await ask(other, ALICE)
    other.close()
    await isClosed(number)
  })
})

describe('upgrades', () => {
  const upgrade = {
    fields: ['Host', 'a', 'Connection', 'Upgrade', 'Upgrade', 'x'],
    upgrade: true,
    ended: false,
  }

  it('become raw bytes in both directions after the 101, with half-close; early bytes wait for the 101', async () => {
    const pool = poolForOne()
    const client = new Client(pool, upgrade)
    const connection = await backend.connection()
    expect(await connection.request()).toContain('Connection: Upgrade\r\nUpgrade: x\r\n')
    expect(client.exchange.write(Buffer.from('early'))).toBe(false)
    connection.say('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nhello')
    await client.until(c => c.body === 'hello')
    expect(client.heads[0]).toMatchObject({ status: 101, fields: ['Upgrade', 'x'] })
    await connection.until(c => c.received === 'early')
    await opensAnother(pool)
    client.exchange.write(Buffer.from(' and late'))
    client.exchange.end(undefined)
    await connection.until(c => c.received === 'early and late' && c.ended)
    connection.say(' bye')
    connection.socket.end()
    expect(await client.finished()).toMatchObject({ state: 'complete', body: 'hello bye' })
    await connection.until(c => c.closed)
  })

  it('can end from the backend first', async () => {
    const client = new Client(poolHere(), upgrade)
    const connection = await backend.connection()
    await connection.request()
    connection.say('HTTP/1.1 101 Switching Protocols\r\n\r\n')
    connection.socket.end()
    await client.finished()
    expect(client.exchange.write(Buffer.from('still here'))).toBe(true)
    client.exchange.end(undefined)
    await connection.until(c => c.received === 'still here' && c.ended)
  })

  it('that are declined have ordinary responses, and early bytes are dropped', async () => {
    const pool = poolHere()
    const client = new Client(pool, upgrade)
    const connection = await backend.connection()
    await connection.request()
    client.exchange.write(Buffer.from('GET /poison HTTP/1.1\r\n\r\n'))
    connection.say('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')
    expect(await client.finished()).toMatchObject({ state: 'complete', body: 'no' })
    expect(connection.received).toBe('')
    const next = new Client(pool)
    await connection.request()
    connection.say(OK)
    await next.finished()
    expect(backend.connections).toHaveLength(1)
  })

  it('that are cut off are failures, and cancelled ones are reset', async () => {
    const client = new Client(poolHere(), upgrade)
    const connection = await backend.connection()
    await connection.request()
    connection.say('HTTP/1.1 101 Switching Protocols\r\n\r\n')
    await client.until(c => c.heads.length === 1)
    connection.socket.resetAndDestroy()
    expect((await client.finished()).error?.reason).toBe('backend_closed')

    const other = new Client(poolHere(), upgrade)
    const second = await backend.connection(1)
    await second.request()
    second.say('HTTP/1.1 101 Switching Protocols\r\n\r\n')
    await other.until(c => c.heads.length === 1)
    other.exchange.abort()
    await second.until(c => c.closed)
    expect((second.error as NodeJS.ErrnoException).code).toBe('ECONNRESET')
  })
})

describe('a limit of upgraded connections', () => {
  const upgrade = { fields: ['Connection', 'Upgrade', 'Upgrade', 'x'], upgrade: true, ended: false }
  const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\n\r\n'

  async function upgraded(pool: Pool) {
    const number = backend.connections.length
    const client = new Client(pool, upgrade)
    const connection = await backend.connection(number)
    await connection.request()
    connection.say(SWITCHING)
    await client.until(c => c.heads.length === 1)
    return { client, connection }
  }

  it('refuses further upgrades, and keeps the connections of ordinary requests', async () => {
    const pool = poolHere({ maxConnections: 1, maxDetached: 2 })
    const first = await upgraded(pool)
    const second = await upgraded(pool)
    expect(new Client(pool, upgrade).error?.reason).toBe('overloaded')
    expect(backend.connections).toHaveLength(2)
    const plain = new Client(pool)
    const connection = await backend.connection(2)
    await connection.request()
    connection.say('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok')
    expect(await plain.finished()).toMatchObject({ state: 'complete' })
    first.connection.socket.resetAndDestroy()
    await first.client.finished()
    const third = await upgraded(pool)
    for (const { client } of [second, third]) client.exchange.abort()
  })

  it('counts an upgrade above the limit as an ordinary connection', async () => {
    const pool = poolHere({ maxConnections: 2, maxDetached: 1, maxWaiting: 0 })
    const clients = [new Client(pool, upgrade), new Client(pool, upgrade)]
    for (const number of [0, 1]) {
      const connection = await backend.connection(number)
      await connection.request()
      connection.say(SWITCHING)
    }
    for (const client of clients) await client.until(c => c.heads.length === 1)
    const [third, fourth] = [new Client(pool), new Client(pool)]
    expect([third.error, fourth.error?.reason]).toEqual([undefined, 'overloaded'])
    third.exchange.abort()
    for (const connection of backend.connections) connection.socket.resetAndDestroy()
    for (const client of clients) await client.finished()
    await opensAnother(pool)
  })
})

describe('compared with the client and the server of Node', () => {
  it('reads the same responses', async () => {
    const server = createServer((request, response) => {
      const kind = request.url?.slice(1)
      response.setHeader('X-Kind', kind ?? '')
      response.setHeader('Set-Cookie', ['a=1', 'b=2'])
      if (kind === 'length') response.end('x'.repeat(100_000))
      else if (kind === 'empty') response.writeHead(204).end()
      else if (kind === 'hints') {
        response.writeEarlyHints({ link: '</a>; rel=preload' })
        response.end('after hints')
      } else if (kind === 'trailers') {
        if (request.method === 'HEAD') {
          response.end()
          return
        }
        response.setHeader('Trailer', 'X-Sum')
        response.write('a')
        response.write('b'.repeat(70_000))
        response.addTrailers({ 'X-Sum': '1' })
        response.end()
      } else response.writeHead(404, 'Nope').end('?')
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const agent = new Agent({ keepAlive: true })
    const pool = poolFor(`127.0.0.1:${port}`)
    for (const kind of ['length', 'empty', 'hints', 'trailers', 'missing']) {
      for (const method of ['GET', 'HEAD', 'POST']) {
        const ours = new Client(pool, { method, target: `/${kind}` })
        await ours.finished()

        const theirs = await new Promise<{
          status: number
          text: string
          raw: string[]
          body: string
          trailers: string[]
        }>((resolve, reject) => {
          nodeRequest({ port, method, path: `/${kind}`, agent }, response => {
            let body = ''
            response.on('data', chunk => {
              body += chunk.toString('latin1')
            })
            response.on('end', () => {
              resolve({
                status: response.statusCode ?? 0,
                text: response.statusMessage ?? '',
                raw: response.rawHeaders,
                body,
                trailers: response.rawTrailers,
              })
            })
          })
            .on('error', reject)
            .end()
        })
        const head = ours.heads.at(-1)!
        const without = (fields: string[]): string[] =>
          fields.filter((_, i) => !/^(date|transfer-encoding)$/i.test(fields[i - (i % 2)]!))
        expect([head.status, head.statusText, ours.body]).toEqual([theirs.status, theirs.text, theirs.body])
        expect(without(head.fields)).toEqual(without(theirs.raw))
        expect(ours.trailers ?? []).toEqual(theirs.trailers)
      }
    }
    agent.destroy()
    pool.close()
    await new Promise(resolve => server.close(resolve))
  })
})
