import { describe, expect, it } from 'vitest'
import { Addresses, type PlugboardAddress } from './addresses.ts'
import { displayUrl, isLoopback, tunnelUrl } from './plugboard-url.ts'

const url = (host: string): URL => tunnelUrl(`http://${host}`)
const place = (host: string, replicaId?: string): PlugboardAddress => ({ href: url(host).href, replicaId })

function addresses(configured: string[], follow = true) {
  const clock = { now: 0 }
  const book = new Addresses(
    configured.map(url),
    follow,
    () => clock.now,
    () => 0,
  )
  book.learn([
    { url: url('a'), replicaId: 'A' },
    { url: url('b'), replicaId: 'B' },
  ])
  return { book, clock }
}

describe('addresses', () => {
  it('spread over replicas, also when one was reached by another address', () => {
    const { book } = addresses(['balancer'])
    expect(book.pick([]).replicaId).toBe('A')
    expect(book.pick([place('balancer', 'A')]).replicaId).toBe('B')
    expect(book.pick([place('a', 'A'), place('b', 'B')]).url.host).toBe('balancer')
    expect(book.hasUnused([place('balancer', 'A')])).toBe(true)
    expect(book.hasUnused([place('a', 'A'), place('x', 'B')])).toBe(false)
  })

  it('behind one load balancer are distinguished by replica, and one that did not respond is avoided for a while', () => {
    const { book } = addresses(['balancer'])
    book.learn(['A', 'B'].map(replicaId => ({ url: url('balancer'), replicaId })))
    expect(book.hasUnused([place('balancer', 'A')])).toBe(true)
    const picked = book.pick([place('balancer', 'A')])
    expect(picked.replicaId).toBe('B')
    book.worked(picked, 'A')
    expect(book.hasUnused([place('balancer', 'A')])).toBe(false)
    book.worked(picked, 'B')
    expect(book.hasUnused([place('balancer', 'A')])).toBe(true)
  })

  it('that are wanted come first among addresses with the same use', () => {
    const { book } = addresses(['seed'])
    book.learn(['A', 'B', 'C'].map(id => ({ url: url(id.toLowerCase()), replicaId: id })))
    for (const wanted of ['A', 'B', 'C']) expect(book.pick([], wanted).replicaId).toBe(wanted)
    expect(book.pick([place('a', 'A')], 'A').replicaId).not.toBe('A')
  })

  it('that have failed are avoided for a while', () => {
    const { book, clock } = addresses(['seed'])
    for (const host of ['a', 'b']) book.failed({ url: url(host), replicaId: undefined })
    expect(book.pick([]).url.host).toBe('seed')
    expect(book.hasUnused([])).toBe(false)
    clock.now = 15_000
    expect(book.pick([]).replicaId).toBe('A')
    book.failed({ url: url('a'), replicaId: 'A' })
    book.worked({ url: url('a'), replicaId: 'A' }, 'A')
    expect(book.pick([]).replicaId).toBe('A')
  })

  it('that have failed are used again after Plugboard has sent them again', () => {
    const { book } = addresses(['b'])
    const told = (...ids: string[]) =>
      book.learn(ids.map(id => ({ url: url(id.toLowerCase()), replicaId: id })))
    book.failed({ url: url('b'), replicaId: 'B' })
    told('A', 'B')
    expect(book.hasUnused([place('a', 'A')])).toBe(false)
    told('A')
    told('A', 'B')
    expect(book.hasUnused([place('a', 'A')])).toBe(true)
    expect(book.pick([place('a', 'A')]).replicaId).toBe('B')
  })

  it('that have failed are used when all have failed', () => {
    const { book } = addresses(['seed'], false)
    book.failed({ url: url('seed'), replicaId: undefined })
    expect(book.pick([place('seed')]).url.host).toBe('seed')
  })

  it('that Plugboard has sent are ignored without followReplicas', () => {
    const { book } = addresses(['seed'], false)
    expect(book.pick([place('seed')]).url.host).toBe('seed')
  })
})

describe('an address of Plugboard', () => {
  it.each([
    ['https://proxy.example.com', 'wss://proxy.example.com/_plugboard/tunnel'],
    ['proxy.example.com', 'wss://proxy.example.com/_plugboard/tunnel'],
    ['http://localhost:4000/', 'ws://localhost:4000/_plugboard/tunnel'],
    ['ws://10.0.0.1:80', 'ws://10.0.0.1/_plugboard/tunnel'],
    ['wss://a:1/_plugboard/tunnel', 'wss://a:1/_plugboard/tunnel'],
  ])('%s becomes %s', (text, href) => {
    expect(tunnelUrl(text).href).toBe(href)
  })

  it.each(['ftp://a', 'https://a/path', 'https://u:p@a', 'https://a?b', 'http://'])(
    '%s is rejected',
    text => {
      expect(() => tunnelUrl(text)).toThrow()
    },
  )

  it('is shown without its path, and is recognised as this machine or another one', () => {
    expect(displayUrl(tunnelUrl('wss://a.example:444'))).toBe('https://a.example:444')
    const loopback = ['http://localhost', 'http://x.localhost', 'http://127.9.9.9', 'http://[::1]:5'].map(
      tunnelUrl,
    )
    expect(loopback.every(isLoopback)).toBe(true)
    expect(['http://10.0.0.1', 'http://localhost.example.com'].map(tunnelUrl).some(isLoopback)).toBe(false)
  })
})
