import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { afterEach, expect, it } from 'vitest'
import { type AdminServer, startAdminServer } from './admin-server.ts'

let server: AdminServer
const clients: Socket[] = []
/** The number of requests to `/wait` that have reached the application. */
let arrived = 0
/** Called at the end of a test. Then requests to `/wait` get their response. */
let release: () => void = () => undefined

afterEach(async () => {
  release()
  for (const client of clients.splice(0)) client.destroy()
  await server.stop(0)
})

async function start(options: { maxConnections?: number; headTimeoutMs?: number }): Promise<void> {
  arrived = 0
  const released = new Promise<void>(resolve => {
    release = resolve
  })
  const app = {
    fetch: async (request: Request) => {
      if (request.url.endsWith('/wait')) {
        arrived += 1
        await released
      }
      return new Response('ok')
    },
    document: () => ({}),
    stop: () => undefined,
  }
  server = await startAdminServer({
    app,
    listen: { host: '127.0.0.1', port: 0 },
    log: silentLogger,
    ...options,
  })
}

class Client {
  readonly socket: Socket
  received = ''
  closed = false

  private constructor(socket: Socket) {
    this.socket = socket
    clients.push(socket)
    socket.on('data', (chunk: Buffer) => {
      this.received += chunk.toString('latin1')
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.closed = true
    })
  }

  static async open(): Promise<Client> {
    const socket = connect(server.address.port, '127.0.0.1')
    await once(socket, 'connect')
    return new Client(socket)
  }

  get(path: string): void {
    this.socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  }

  async responded(): Promise<void> {
    await expect.poll(() => this.received).toContain('200 OK')
    this.received = ''
  }
}

it('closes the connection that has been idle longest when the limit is reached', async () => {
  await start({ maxConnections: 3 })
  const busy = await Client.open()
  busy.get('/wait')
  const used = await Client.open()
  const idle = await Client.open()
  used.get('/')
  await used.responded()

  const first = await Client.open()
  first.get('/')
  await first.responded()
  expect([busy.closed, used.closed, idle.closed]).toEqual([false, false, true])
  const second = await Client.open()
  second.get('/')
  await second.responded()
  expect([busy.closed, used.closed, first.closed]).toEqual([false, true, false])
  release()
  await busy.responded()
})

it('refuses a connection at the limit while all others have a request in progress', async () => {
  await start({ maxConnections: 2 })
  const busy = [await Client.open(), await Client.open()]
  for (const client of busy) client.get('/wait')
  await expect.poll(() => arrived).toBe(2)
  const probe = await Client.open()
  await expect.poll(() => probe.closed).toBe(true)
  release()
  for (const client of busy) await client.responded()
})

it.each([
  ['a bare LF', 'GET / HTTP/1.1\nHost: localhost\n\n', 400, 'bad_request'],
  [
    'a head that is too large',
    `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
    431,
    'headers_too_large',
  ],
])('responds to %s with a problem and a request id', async (_, bytes, status, code) => {
  await start({})
  const client = await Client.open()
  client.socket.write(bytes)
  await expect.poll(() => client.closed).toBe(true)
  const requestId = /^X-Request-ID: (\S+)$/m.exec(client.received)?.[1]
  expect(requestId).toMatch(/^[0-9a-f-]{36}$/)
  const [head = '', body = ''] = client.received.split('\r\n\r\n')
  expect(head).toContain(`HTTP/1.1 ${status} `)
  expect(JSON.parse(body)).toMatchObject({ status, code, requestId })
})

it('closes a connection whose request head does not arrive in time', async () => {
  await start({ headTimeoutMs: 100 })
  const client = await Client.open()
  client.socket.write('GET / HTTP/1.1\r\n')
  await expect.poll(() => client.closed).toBe(true)
  expect(client.received).toContain('408 Request Timeout')
})
