// Tests the transport with real WebSockets over loopback: it meets the contract of protocol/transport.ts, also when the peer
// breaks the connection.

import { describe, expect, it } from 'vitest'
import { leakedSince, openResources, useLeakCheck } from '../../test/support/leak-check.ts'
import { RecordedReceiver } from '../../test/support/session/recorded-receiver.ts'
import { transportsOf, useWebSocketPairs } from '../../test/support/session/websocket-pair.ts'
import { MESSAGE_MAX_BYTES } from '../protocol/limits.ts'
import { webSocketTransport } from './websocket-transport.ts'

const noop = () => undefined

/** A message that fills the connection many times over: 24 messages of 1 MiB. */
const FLOOD_MESSAGES = 24
const MIB = 1024 * 1024

useLeakCheck()
const webSocketPair = useWebSocketPairs()

async function startedPair() {
  const pair = await webSocketPair()
  const { dialer, acceptor } = transportsOf(pair)
  return {
    ...pair,
    dialer,
    acceptor,
    atDialer: new RecordedReceiver(dialer),
    atAcceptor: new RecordedReceiver(acceptor),
  }
}

describe('messages', () => {
  it('arrive complete and in order, in both directions, and are counted', async () => {
    const { dialer, acceptor, atDialer, atAcceptor } = await startedPair()
    const sizes = [1, 125, 126, 65_535, 65_536, 131_072, MESSAGE_MAX_BYTES]
    const sent: number[] = []
    for (const size of sizes) dialer.send(Buffer.alloc(size, size), () => sent.push(size))
    for (const size of sizes) acceptor.send(Buffer.alloc(size, size), noop)
    const total = sizes.reduce((sum, size) => sum + size)
    await Promise.all([atDialer.received(total), atAcceptor.received(total)])
    for (const { messages } of [atDialer, atAcceptor]) {
      expect(messages.map(({ length }) => length)).toEqual(sizes)
      expect(messages.every(message => message.every(byte => byte === message.length % 256))).toBe(true)
    }
    expect(sent).toEqual(sizes)
    expect(dialer.bufferedBytes).toBe(0)
    expect(acceptor.receivedBytes).toBeGreaterThan(total)
  })

  it('do not change when the sender reuses a buffer after `sent`', async () => {
    const { dialer, acceptor, atDialer, atAcceptor } = await startedPair()
    for (const [sender, receiver] of [
      [dialer, atAcceptor],
      [acceptor, atDialer],
    ] as const) {
      const slab = Buffer.alloc(100_000)
      for (let fill = 1; fill <= 50; fill += 1) {
        slab.fill(fill)
        await new Promise<void>(resolve => sender.send(slab, resolve))
      }
      await receiver.received(50 * slab.length)
      receiver.messages.forEach((message, index) => {
        expect(message.equals(Buffer.alloc(slab.length, index + 1))).toBe(true)
      })
    }
  })

  it('count as received bytes, also in fragments and when only a part has arrived', async () => {
    const { client, clientSocket, acceptor, atAcceptor } = await startedPair()
    const before = acceptor.receivedBytes
    client.send(Buffer.from('ab'), { binary: true, fin: false })
    client.send(Buffer.from('cd'), { binary: true, fin: true })
    await atAcceptor.received(4)
    expect(atAcceptor.messages.map(String)).toEqual(['abcd'])
    const whole = acceptor.receivedBytes
    expect(whole).toBeGreaterThan(before)
    // The header of a masked message of 100 bytes, without any byte of the message.
    clientSocket.write(Buffer.from([0x82, 0x80 | 100, 0, 0, 0, 0, 1, 2, 3]))
    while (acceptor.receivedBytes < whole + 9) await new Promise<void>(resolve => setImmediate(resolve))
    expect(atAcceptor.messages).toHaveLength(1)
  })
})

describe('a message that does not end', () => {
  it('ends the connection when it has more fragments than the limit', async () => {
    const { client, atAcceptor } = await startedPair()
    const fragment = () => client.send(Buffer.from('x'), { binary: true, fin: false })
    for (let count = 0; count < 256; count += 1) fragment()
    client.send(Buffer.from('y'), { binary: true, fin: true })
    expect((await atAcceptor.closed).clean).toBe(false)
    expect(atAcceptor.messages).toEqual([])
  })

  it('may have as many fragments as the limit allows', async () => {
    const { client, atAcceptor } = await startedPair()
    const piece = Buffer.alloc(4096)
    for (let count = 0; count < 255; count += 1) client.send(piece, { binary: true, fin: false })
    client.send(piece, { binary: true, fin: true })
    await atAcceptor.received(256 * piece.length)
    expect(atAcceptor.messages.map(({ length }) => length)).toEqual([256 * piece.length])
  })
})

describe('backpressure', () => {
  it('is visible in bufferedBytes while the peer does not read, and ends when the peer reads again', async () => {
    const { dialer, server, atAcceptor } = await startedPair()
    server.pause()
    let sent = 0
    const message = Buffer.alloc(MIB)
    for (let count = 0; count < FLOOD_MESSAGES; count += 1) dialer.send(message, () => sent++)
    await new Promise<void>(resolve => setImmediate(resolve))
    expect(dialer.bufferedBytes).toBeGreaterThan(MIB)
    expect(sent).toBeLessThan(FLOOD_MESSAGES)
    expect(atAcceptor.messages).toEqual([])
    server.resume()
    await atAcceptor.received(FLOOD_MESSAGES * MIB)
    while (sent < FLOOD_MESSAGES) await new Promise<void>(resolve => setImmediate(resolve))
    expect(dialer.bufferedBytes).toBe(0)
  })

  it('`sent` is called for every message, also for a message that is lost with the connection', async () => {
    const { dialer, server, atDialer, serverSocket } = await startedPair()
    server.pause()
    let sent = 0
    for (let count = 0; count < FLOOD_MESSAGES; count += 1) dialer.send(Buffer.alloc(MIB), () => sent++)
    serverSocket.destroy()
    await atDialer.closed
    dialer.send(Buffer.alloc(10), () => sent++)
    while (sent < FLOOD_MESSAGES + 1) await new Promise<void>(resolve => setImmediate(resolve))
  })
})

describe('the end', () => {
  it('`close` delivers the messages sent before, and notifies both ends once', async () => {
    const { dialer, atDialer, atAcceptor } = await startedPair()
    for (let count = 0; count < 8; count += 1) dialer.send(Buffer.alloc(MIB), noop)
    dialer.close('going_away')
    dialer.close('again')
    expect(await atAcceptor.closed).toEqual({ clean: true, detail: 'going_away' })
    expect(await atDialer.closed).toMatchObject({ clean: true })
    expect(atAcceptor.receivedBytes).toBe(8 * MIB)
    dialer.close('late')
    dialer.terminate()
    await new Promise<void>(resolve => setImmediate(resolve))
    expect([atDialer.closes, atAcceptor.closes].map(({ length }) => length)).toEqual([1, 1])
  })

  it('`close` takes a bounded time when the peer does not respond to it', async () => {
    const { dialer, atDialer, serverSocket } = await startedPair()
    serverSocket.pause()
    serverSocket.removeAllListeners('data')
    dialer.close('going_away')
    expect(await atDialer.closed).toMatchObject({ clean: false })
  })

  it('`close` takes a bounded time when the peer does not read the messages queued before it', async () => {
    const { dialer, server, atDialer } = await startedPair()
    server.pause()
    for (let count = 0; count < FLOOD_MESSAGES; count += 1) dialer.send(Buffer.alloc(MIB), noop)
    dialer.close('going_away')
    expect(await atDialer.closed).toMatchObject({ clean: false })
  })

  it('`terminate` closes the connection at once', async () => {
    const { dialer, atDialer, atAcceptor } = await startedPair()
    dialer.terminate()
    expect([await atDialer.closed, await atAcceptor.closed].map(({ clean }) => clean)).toEqual([false, false])
  })

  it('a destroyed socket ends both sides as not clean', async () => {
    for (const which of ['clientSocket', 'serverSocket'] as const) {
      const { [which]: socket, atDialer, atAcceptor } = await startedPair()
      socket.resetAndDestroy()
      expect([await atDialer.closed, await atAcceptor.closed].map(({ clean }) => clean)).toEqual([
        false,
        false,
      ])
    }
  })

  it('a message over the limit ends the connection, and the detail names it', async () => {
    const { client, atAcceptor, atDialer } = await startedPair()
    client.send(Buffer.alloc(MESSAGE_MAX_BYTES + 1), { binary: true })
    expect(await atAcceptor.closed).toMatchObject({ clean: false, detail: 'Max payload size exceeded' })
    expect(await atDialer.closed).toMatchObject({ clean: false })
    expect(atAcceptor.messages).toEqual([])
  })

  it('bytes that are not a WebSocket frame end the connection, and the detail names the fault', async () => {
    const { clientSocket, atAcceptor } = await startedPair()
    clientSocket.write(Buffer.alloc(100, 0xff))
    expect(await atAcceptor.closed).toMatchObject({ clean: false, detail: expect.stringMatching(/RSV/) })
  })

  it('`close` after the end of the connection leaves no timer', async () => {
    const pair = await webSocketPair()
    const transport = webSocketTransport(pair.client, pair.clientSocket)
    const receiver = new RecordedReceiver(transport)
    pair.server.terminate()
    await receiver.closed
    const before = openResources()
    transport.close('late')
    expect(leakedSince(before)).toEqual([])
  })
})
