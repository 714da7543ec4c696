import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../deadline.ts'
import { RawConnection } from './raw-connection.ts'
import { Relay } from './relay.ts'

describe('Relay', () => {
  let echo: Server
  let relay: Relay
  const atEcho = new Set<Socket>()

  beforeEach(async () => {
    echo = createServer({ allowHalfOpen: true }, socket => {
      atEcho.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => atEcho.delete(socket))
      socket.pipe(socket)
    })
    await once(echo.listen(0, '127.0.0.1'), 'listening')
    relay = await Relay.listen({ targetPort: (echo.address() as AddressInfo).port })
  })

  afterEach(async () => {
    await relay.close()
    for (const socket of atEcho) socket.destroy()
    echo.close()
    await once(echo, 'close')
  })

  it('relays in both directions and forwards a FIN', async () => {
    const client = await RawConnection.open(relay.port)
    await client.send('hello')
    client.end()
    expect((await client.readToEnd()).toString()).toBe('hello')
    expect(await client.closed).toBe('fin')
    await eventually('the pair is removed', () => (relay.connections === 0 ? true : undefined))
  })

  it('silences one caller and relays for the others', async () => {
    await relay.close()
    const { port: targetPort } = echo.address() as AddressInfo
    relay = await Relay.listen({ targetPort, callerOf: first => first.toString().slice(0, 3) })
    relay.silence('bob', true)
    const [ann, bob] = [await RawConnection.open(relay.port), await RawConnection.open(relay.port)]
    let heard = false
    const response = bob.readUntil('bob speaks').then(() => {
      heard = true
    })
    await bob.send('bob speaks')
    await ann.send('ann speaks')
    await ann.readUntil('ann speaks')
    expect(heard).toBe(false)
    relay.silence('bob', false)
    await response
    for (const connection of [ann, bob]) connection.destroy()
  })

  it('holds all data back without notice, and relays it later', async () => {
    const client = await RawConnection.open(relay.port)
    await client.send('a')
    await client.readBytes(1)
    relay.blackhole(true)
    await client.send('b')
    const fresh = await RawConnection.open(relay.port)
    await fresh.send('c')
    relay.blackhole(false)
    expect((await client.readBytes(1)).toString()).toBe('b')
    expect((await fresh.readBytes(1)).toString()).toBe('c')
    client.destroy()
    fresh.destroy()
  })

  it('hides the end of a silenced connection from the other side, while new ones work', async () => {
    const old = await RawConnection.open(relay.port)
    await old.send('a')
    await old.readBytes(1)
    relay.silenceExisting()
    old.destroy()
    const fresh = await RawConnection.open(relay.port)
    await fresh.send('b')
    await fresh.readBytes(1)
    expect(atEcho.size).toBe(2)
    fresh.destroy()
  })

  it('resets a connection after a number of bytes', async () => {
    relay.faults.cutAfterBytesToTarget = 3
    const client = await RawConnection.open(relay.port)
    await client.send('abcdef')
    expect(await client.closed).toBe('reset')
  })

  it('refuses connections, and keeps the order of delayed data', async () => {
    relay.refuse(true)
    const closed = RawConnection.open(relay.port).then(connection => connection.closed)
    // The reset may arrive before the connect event.
    expect(await closed.catch((error: NodeJS.ErrnoException) => error.code)).toMatch(/reset|ECONNRESET/)
    relay.refuse(false)
    relay.faults.delayMs = 5
    const client = await RawConnection.open(relay.port)
    for (const letter of 'abcdef') await client.send(letter)
    expect((await client.readBytes(6)).toString()).toBe('abcdef')
    client.destroy()
  })
})
