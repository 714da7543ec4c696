import { silentLogger } from '@vera-stack/shared/log.ts'
import { expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { DnsDiscovery } from './dns-discovery.ts'

it('resolves the name at an interval, and keeps the last result while the lookup fails', async () => {
  const clock = new ManualClock()
  let response: readonly string[] | undefined = ['10.0.0.1', 'fd00::1', '10.0.0.1']
  let asked = 0
  let responses = 0
  const dns = new DnsDiscovery({
    name: 'peers.default.svc:4002',
    clock,
    log: silentLogger,
    resolve: host => {
      expect(host).toBe('peers.default.svc')
      asked += 1
      return response === undefined ? Promise.reject(new Error('SERVFAIL')) : Promise.resolve(response)
    },
  })
  const responded = (count: number) =>
    eventually('it is asked', () => (asked === count && clock.pendingTimers === 1 ? true : undefined))
  dns.start(() => {
    responses += 1
  })
  await responded(1)
  expect(dns.found()).toEqual([{ address: 'http://10.0.0.1:4002' }, { address: 'http://[fd00::1]:4002' }])
  response = undefined
  clock.advance(5000)
  await responded(2)
  expect([dns.found().length, responses]).toEqual([2, 1])
  response = ['10.0.0.9']
  clock.advance(5000)
  await responded(3)
  expect([dns.found(), responses]).toEqual([[{ address: 'http://10.0.0.9:4002' }], 2])
  await dns.stop()
  expect(clock.pendingTimers).toBe(0)
})
