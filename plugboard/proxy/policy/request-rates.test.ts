import { expect, it } from 'vitest'
import { asServiceId } from '../../common/ids/row-ids.ts'
import { RequestRates } from './request-rates.ts'

const taken = (rates: RequestRates, count: number, nowMs: number, address = '192.0.2.1', service = 'a') =>
  Array.from({ length: count }, () => rates.take(asServiceId(service), address, 3, nowMs)).filter(Boolean)
    .length

it('admits the requests of one second at once, then further ones as time passes', () => {
  const rates = new RequestRates()
  expect(taken(rates, 5, 0)).toBe(3)
  expect(taken(rates, 5, 400)).toBe(1)
  expect(taken(rates, 5, 667)).toBe(1)
  expect(taken(rates, 50, 60_000)).toBe(3)
})

it('counts each address and each service on its own, and an IPv6 network as one', () => {
  const rates = new RequestRates()
  expect(taken(rates, 5, 0)).toBe(3)
  expect(taken(rates, 5, 0, '192.0.2.2')).toBe(3)
  expect(taken(rates, 5, 0, '192.0.2.1', 'b')).toBe(3)
  expect([taken(rates, 2, 0, '2001:db8::1'), taken(rates, 2, 0, '2001:db8::2')]).toEqual([2, 1])
})

it('is bounded', () => {
  const rates = new RequestRates(2)
  expect(taken(rates, 5, 0, '192.0.2.1')).toBe(3)
  expect(taken(rates, 5, 500, '192.0.2.2')).toBe(3)
  // A third bucket: the first was unused for a second and is evicted, the second is kept.
  expect(taken(rates, 5, 1000, '192.0.2.3')).toBe(3)
  expect(taken(rates, 5, 1000, '192.0.2.2')).toBe(1)
})
