import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { systemClock } from '@vera-stack/shared/clock.ts'
import { expect, it, onTestFinished } from 'vitest'
import { clientAddressOf, ProxyProtocolGate } from './proxy-protocol-gate.ts'
import { TrustedProxies } from './trusted-proxies.ts'

const HEADER = 'PROXY TCP4 203.0.113.7 10.0.0.1 56324 443\r\n'
const request = (path: string, extra = '') => `GET ${path} HTTP/1.1\r\nHost: a.test\r\n${extra}\r\n`

async function listen(options: { trusted?: string[]; timeoutMs?: number; maxWaiting?: number } = {}) {
  const refused: string[] = []
  const seen: string[] = []
  const server = createServer((req: IncomingMessage, res) => {
    let body = ''
    req.on('data', (chunk: Buffer) => {
      body += chunk.toString('latin1')
    })
    req.on('end', () => {
      seen.push(`${clientAddressOf(req.socket)} ${req.url} ${body.length}`)
      res.end('ok')
    })
  })
  const gate = new ProxyProtocolGate(server, {
    trusted: new TrustedProxies(options.trusted ?? ['127.0.0.1']),
    timeoutMs: options.timeoutMs ?? 10_000,
    maxWaiting: options.maxWaiting ?? 100,
    clock: systemClock,
    onRefused: (_, error) => refused.push(error.message),
    onOverflow: () => refused.push('too many wait'),
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => new Promise<void>(resolve => server.close(() => resolve()).closeAllConnections()))
  const { port } = server.address() as AddressInfo
  return { port, refused, seen, gate }
}

/** Returns all bytes that the server sends on a connection. `chunks`: sent to it, one in each turn of the event loop. */
async function exchange(port: number, chunks: readonly (string | Buffer)[]): Promise<string> {
  const socket: Socket = connect(port, '127.0.0.1').setNoDelay()
  let said = ''
  socket.on('data', (chunk: Buffer) => {
    said += chunk.toString('latin1')
  })
  const closed = new Promise<void>(resolve =>
    socket.on('close', () => resolve()).on('error', () => undefined),
  )
  for (const chunk of chunks) {
    await new Promise<void>(resolve => socket.write(chunk, () => setImmediate(resolve)))
  }
  await closed
  return said
}

const last = request('/last', 'Connection: close\r\n')

it('reads the address from the header, even when more bytes arrive in the same packet', async () => {
  const { port, seen } = await listen()
  const body = 'x'.repeat(200_000)
  const upload = `POST /up HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  expect(await exchange(port, [HEADER + request('/one') + upload, last])).toContain('200 OK')
  expect(seen).toEqual(['203.0.113.7 /one 0', '203.0.113.7 /up 200000', '203.0.113.7 /last 0'])
})

it('reads a header that arrives in pieces', async () => {
  const { port, seen } = await listen()
  await exchange(port, [...HEADER, ...last])
  expect(seen).toEqual(['203.0.113.7 /last 0'])
})

it('does not change the connections of other peers', async () => {
  const { port, seen, refused } = await listen({ trusted: ['192.0.2.1'] })
  expect(await exchange(port, [last])).toContain('200 OK')
  expect(await exchange(port, [HEADER + last])).toContain('400 Bad Request')
  expect([seen, refused]).toEqual([['127.0.0.1 /last 0'], []])
})

it('destroys the connection of a trusted proxy without a header', async () => {
  const { port, seen, refused } = await listen()
  expect(await exchange(port, [last])).toBe('')
  expect(seen).toEqual([])
  expect(refused).toEqual(['PROXY header: the connection does not begin with a PROXY header'])
})

it('destroys a connection whose header does not arrive in time', async () => {
  const { port, refused } = await listen({ timeoutMs: 1 })
  expect(await exchange(port, ['PROXY TCP4 '])).toBe('')
  expect(refused).toEqual(['no PROXY header within 1 ms'])
})

it('releases a connection that closes before its header', async () => {
  const { port, refused } = await listen()
  const socket = connect(port, '127.0.0.1')
  await new Promise<void>(resolve => socket.write('PROXY ', () => resolve()))
  socket.resetAndDestroy()
  await new Promise<void>(resolve => socket.on('close', () => resolve()).on('error', () => undefined))
  expect(refused.filter(text => !text.includes('ECONNRESET'))).toEqual([])
})

it('refuses a connection when too many wait for their header', async () => {
  const { port, gate, refused } = await listen({ maxWaiting: 1 })
  const waiting = connect(port, '127.0.0.1')
  await new Promise<void>(resolve => waiting.write('PROXY ', () => resolve()))
  expect(await exchange(port, [HEADER + last])).toBe('')
  expect(refused).toEqual(['too many wait'])
  const closed = new Promise<void>(resolve => waiting.on('close', () => resolve()))
  gate.close()
  await closed
  expect(await exchange(port, [HEADER + last])).toContain('200 OK')
})

it('destroys only the waiting connections when it is closed', async () => {
  const { port, gate, refused } = await listen()
  const socket = connect(port, '127.0.0.1')
  const closed = new Promise<void>(resolve => socket.on('close', () => resolve()))
  await new Promise<void>(resolve => socket.write('PROXY ', () => resolve()))
  // A response on a later connection shows that the first one was accepted as well.
  expect(await exchange(port, [HEADER + last])).toContain('200 OK')
  gate.close()
  await closed
  expect(refused).toEqual([])
})
