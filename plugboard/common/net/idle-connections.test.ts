import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import { IdleConnections } from './idle-connections.ts'

class FakeConnection extends EventEmitter {
  destroyed = false

  destroy(): this {
    this.destroyed = true
    return this
  }
}

function connectionsOf(options: { max: number; maxIdle?: number }) {
  const idle = new IdleConnections<FakeConnection>(options)
  const open = (): FakeConnection => {
    const connection = new FakeConnection()
    idle.add(connection)
    return connection
  }
  return { idle, open }
}
const destroyed = (...connections: FakeConnection[]) => connections.map(each => each.destroyed)

test('closes the connection that has been idle for the longest time', () => {
  const { idle, open } = connectionsOf({ max: 3 })
  const [first, second, third] = [open(), open(), open()]
  idle.use(first)
  idle.use(second)
  idle.release(first)
  expect(destroyed(first, second, third, open())).toEqual([false, false, true, false])
  expect(destroyed(first, second, open())).toEqual([true, false, false])
})

test('closes the new connection when all others are in use', () => {
  const { idle, open } = connectionsOf({ max: 2 })
  for (const connection of [open(), open()]) idle.use(connection)
  expect(open().destroyed).toBe(true)
})

test('limits the idle connections separately', () => {
  const { idle, open } = connectionsOf({ max: 10, maxIdle: 1 })
  const first = open()
  idle.use(first)
  const second = open()
  expect(destroyed(first, second, open())).toEqual([false, true, false])
})

test('gives the place of a closed connection to another one, and frees the place only once', () => {
  const { idle, open } = connectionsOf({ max: 1 })
  const first = open()
  first.emit('close')
  idle.release(first)
  expect([idle.isIdle(first), open().destroyed]).toEqual([false, false])
})

test('destroys all open connections', () => {
  const { idle, open } = connectionsOf({ max: 3 })
  const connections = [open(), open()]
  idle.use(connections[0]!)
  idle.destroyAll()
  expect(destroyed(...connections)).toEqual([true, true])
})
