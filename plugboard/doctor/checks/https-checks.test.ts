import { describe, expect, it } from 'vitest'
import { checkExpiry, checkHosts } from './certificate-checks.ts'
import { checkTrustedProxies } from './trusted-proxies-check.ts'

const DAY = 86_400_000
const until = (days: number) => ({ source: `/certs/${days}.pem`, notAfter: new Date(days * DAY) })

describe('the checks of certificates', () => {
  it('warn 14 days before the end, and fail after it', () => {
    expect(checkExpiry([until(15)], 0).state).toBe('ok')
    expect(checkExpiry([until(15), until(14)], 0)).toMatchObject({
      state: 'warning',
      detail: '1 certificate ends within 14 days: "/certs/14.pem". The first one ends in 14 d.',
    })
    expect(checkExpiry([until(14), until(-2)], 0)).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining('expired 2 d ago: "/certs/-2.pem", "/certs/14.pem"'),
    })
  })

  it('name hosts of routes without a certificate', () => {
    expect(checkHosts({ hosts: [], checked: 3 }).state).toBe('ok')
    expect(checkHosts({ hosts: ['a.test'], checked: 3 })).toMatchObject({
      state: 'warning',
      detail: expect.stringContaining('1 host of routes has no certificate: "a.test".'),
    })
  })

  it('are ok without HTTPS', () => {
    expect([checkExpiry(undefined, 0).state, checkHosts(undefined).state]).toEqual(['ok', 'ok'])
  })
})

describe('the check of trusted proxies', () => {
  const use = { network: '10.0.0.0/8', requests: 7, sendsFields: true }

  it('warns about a proxy that never sent a field', () => {
    expect(checkTrustedProxies([use], false).state).toBe('ok')
    expect(checkTrustedProxies([use, { ...use, network: '::1', sendsFields: false }], false)).toMatchObject({
      state: 'warning',
      detail: expect.stringContaining('in 7 requests: "::1"'),
    })
  })

  it('cannot tell about a proxy without requests', () => {
    const unseen = { network: '192.0.2.7', requests: 0, sendsFields: false }
    expect(checkTrustedProxies([use, unseen], false)).toMatchObject({
      state: 'unknown',
      detail: expect.stringContaining('"192.0.2.7"'),
    })
    expect(checkTrustedProxies([unseen], true).state).toBe('ok')
    expect(checkTrustedProxies([], false).state).toBe('ok')
  })
})
