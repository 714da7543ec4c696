import { expect, test } from 'vitest'
import { SAMPLE_RECEIVED, sampleExchange } from '../../test/support/admin-api/sample-exchange.ts'
import { CapturedBody } from './captured-body.ts'
import type { CapturedExchange } from './captured-exchange.ts'
import { ExchangeRing } from './exchange-ring.ts'

const MIB = 1024 * 1024

const exchange = (id: string, serviceId = 's1', text = ''): CapturedExchange =>
  sampleExchange({
    id,
    serviceId,
    received: { ...SAMPLE_RECEIVED, body: { bytes: text.length, text, isCut: false, omitted: null } },
  })

const ids = (ring: ExchangeRing, service = 's1') => ring.ofService(service).map(({ id }) => id)

test('keeps the newest 200 exchanges of each service', () => {
  const ring = new ExchangeRing()
  for (let count = 0; count < 250; count += 1) ring.add(exchange(`a${count}`), count)
  ring.add(exchange('b', 's2'), 0)
  expect([ids(ring).length, ids(ring)[0], ids(ring).at(-1), ids(ring, 's2')]).toEqual([
    200,
    'a50',
    'a249',
    ['b'],
  ])
  expect([ring.get('a49'), ring.get('a50')?.id]).toEqual([undefined, 'a50'])
})

test('keeps at most 32 MiB, and evicts exchanges of the service with the most bytes first', () => {
  const ring = new ExchangeRing()
  ring.add(exchange('small', 's2', 'x'), 0)
  const text = 'x'.repeat(MIB)
  for (let count = 0; count < 50; count += 1) {
    ring.add(exchange(`a${count}`, 's1', text), count)
    expect(ring.bytes).toBeLessThanOrEqual(32 * MIB)
  }
  expect([ids(ring).length, ids(ring, 's2')]).toEqual([31, ['small']])
})

test('bytes in flight take room from exchanges, up to the half of it', () => {
  const ring = new ExchangeRing({ perService: 10, bytes: 100_000, keepMs: 1000 })
  ring.add(exchange('a', 's1', 'x'.repeat(70_000)), 0)
  expect(ring.reserve(50_000)).toBe(true)
  expect([ring.size, ring.bytes]).toEqual([0, 50_000])
  expect(ring.reserve(1)).toBe(false)
  ring.add(exchange('too-large', 's1', 'x'.repeat(60_000)), 0)
  expect(ring.size).toBe(0)
  ring.release(50_000)
  expect(ring.bytes).toBe(0)
})

test('replaces an open exchange, and removes old ones', () => {
  const ring = new ExchangeRing({ perService: 10, bytes: MIB, keepMs: 1000 })
  ring.add({ ...exchange('a'), open: true }, 0)
  ring.add(exchange('a'), 500)
  expect([ring.size, ring.get('a')?.open]).toEqual([1, false])
  ring.expire(1499)
  expect(ring.size).toBe(1)
  ring.expire(1500)
  expect([ring.size, ring.bytes, ids(ring)]).toEqual([0, 0, []])
})

test('a body in flight without memory keeps its length only, and erases its bytes', () => {
  const ring = new ExchangeRing({ perService: 10, bytes: 20, keepMs: 1000 })
  const body = new CapturedBody(ring, 100)
  body.add(Buffer.from('12345'))
  expect([ring.bytes, body.isCut]).toEqual([5, false])
  body.add(Buffer.from('1234567'))
  body.add(Buffer.from('1'))
  expect([ring.bytes, body.length, body.omitted, body.isCut]).toEqual([0, 13, 'memory', true])
})
