import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { systemClock } from '@vera-stack/shared/clock.ts'
import { silentLogger } from '@vera-stack/shared/log.ts'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { asReplicaId } from '../../common/ids/replica-id.ts'
import { newIncarnation } from '../../registry/incarnation.ts'
import { dialPeer } from './dial-peer.ts'
import { PeerEndpoint, type PeerEndpointOptions } from './peer-endpoint.ts'
import { PeerTokens } from './peer-tokens.ts'

const incarnation = newIncarnation(1000, () => 0)
const tokens = (id: string) =>
  new PeerTokens(['the secret of the tests'], { id: asReplicaId(id), incarnation }, systemClock)

let endpoint: PeerEndpoint
let port: number
let clients: Socket[]
let peers: string[]

beforeEach(() => {
  clients = []
  peers = []
})
afterEach(async () => {
  for (const client of clients) client.destroy()
  await endpoint.close()
})

async function listen(options: Partial<PeerEndpointOptions> = {}): Promise<void> {
  endpoint = new PeerEndpoint({
    tokens: tokens('acceptor'),
    refusal: () => undefined,
    onPeer: ({ id }) => peers.push(id),
    log: silentLogger,
    ...options,
  })
  port = (await endpoint.listen(0, '127.0.0.1')).port
}

class Stranger {
  readonly socket: Socket
  received = ''
  /** True when the far end has closed its half, or reset the connection. */
  ended = false
  /** True when both halves are closed. */
  closed = false

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.received += chunk.toString('latin1')
    })
    socket.on('error', () => undefined)
    socket.on('end', () => {
      this.ended = true
    })
    socket.on('close', () => {
      this.ended = true
      this.closed = true
    })
  }

  static async open(): Promise<Stranger> {
    // Half-open: this end stays open when the far end closes its half.
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    clients.push(socket)
    await once(socket, 'connect')
    return new Stranger(socket)
  }
}

/** Dials as replica `id`, and resolves with the id of the far end. */
function dial(id: string): Promise<string> {
  return new Promise((resolve, reject) => {
    dialPeer(`http://127.0.0.1:${port}`, undefined, tokens(id), systemClock, {
      onOpen: (peer, transport) => {
        transport.start({ onMessage: () => undefined, onClose: () => undefined })
        resolve(peer.id)
      },
      onFailure: detail => reject(new Error(detail)),
    })
  })
}

it('accepts a peer in place of the oldest connection when unauthenticated connections are at their limit', async () => {
  await listen({ maxConnections: 6 })
  const strangers = [await Stranger.open(), await Stranger.open(), await Stranger.open()]
  expect(await dial('dialer')).toBe('acceptor')
  await expect.poll(() => strangers.map(({ ended }) => ended)).toEqual([true, false, false])
  expect(peers).toEqual(['dialer'])
})

it('keeps its links when unauthenticated connections arrive at the limit', async () => {
  await listen({ maxConnections: 2 })
  await dial('first')
  await dial('second')
  const late = await Stranger.open()
  await expect.poll(() => late.ended).toBe(true)
  expect(peers).toEqual(['first', 'second'])
})

it('closes a connection whose request head does not arrive in time', async () => {
  await listen({ handshakeTimeoutMs: 100 })
  const stranger = await Stranger.open()
  stranger.socket.write('GET /_plugboard/peer HTTP/1.1\r\n')
  await expect.poll(() => stranger.ended).toBe(true)
})

it.each([
  ['another path', 'GET /other HTTP/1.1\r\n', 404],
  ['no WebSocket', 'GET /_plugboard/peer HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: raw\r\n', 426],
])('closes both halves of a refused dial: %s', async (_, head, status) => {
  await listen()
  const stranger = await Stranger.open()
  stranger.socket.write(`${head}Host: a\r\n\r\n`)
  await expect.poll(() => stranger.ended).toBe(true)
  expect(stranger.received).toContain(`HTTP/1.1 ${status} `)
  // Only a socket with both halves closed responds to bytes with a reset.
  await expect
    .poll(() => {
      if (!stranger.closed) stranger.socket.write('x')
      return stranger.closed
    })
    .toBe(true)
})

it('refuses a dial with two tokens, even when one of them is valid', async () => {
  await listen()
  const { token } = await tokens('dialler').forDial()
  const stranger = await Stranger.open()
  stranger.socket.write(
    [
      'GET /_plugboard/peer HTTP/1.1',
      'Host: x',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Protocol: plugboard.v1',
      `Authorization: Bearer ${token}`,
      'Authorization: Bearer x',
      '',
      '',
    ].join('\r\n'),
  )
  await expect.poll(() => stranger.received).toMatch(/^HTTP\/1\.1 400 /)
  expect(peers).toEqual([])
})
