import { silentLogger } from '@vera-stack/shared/log.ts'
import { expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { DnsDiscovery } from './dns-discovery.ts'

it('resolves the name at an interval, and keeps the last result while the lookup fails', async () => {
  const clock = new ManualClock()
  let answer: readonly string[] | undefined = ['10.0.0.1', 'fd00::1', '10.0.0.1']
  let asked = 0
  let answers = 0
  const dns = new DnsDiscovery({
    name: 'peers.default.svc:4002',
    clock,
    log: silentLogger,
    resolve: host => {
      expect(host).toBe('peers.default.svc')
      asked += 1
      return answer === undefined ? Promise.reject(new Error('SERVFAIL')) : Promise.resolve(answer)
    },
  })
  const answered = (count: number) =>
    eventually('it is asked', () => (asked === count && clock.pendingTimers === 1 ? true : undefined))
  dns.start(() => {
    answers += 1
  })
  await answered(1)
  expect(dns.found()).toEqual([{ address: 'http://10.0.0.1:4002' }, { address: 'http://[fd00::1]:4002' }])
  answer = undefined
  clock.advance(5000)
  await answered(2)
  expect([dns.found().length, answers]).toEqual([2, 1])
  answer = ['10.0.0.9']
  clock.advance(5000)
  await answered(3)
  expect([dns.found(), answers]).toEqual([[{ address: 'http://10.0.0.9:4002' }], 2])
  await dns.stop()
  expect(clock.pendingTimers).toBe(0)
})
