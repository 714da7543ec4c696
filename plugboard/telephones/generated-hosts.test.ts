import { parseMount } from '@vera-stack/shared/mounts.ts'
import { describe, expect, it } from 'vitest'
import { generatedHostPattern, generatedHostsProblem, generatedMount } from './generated-hosts.ts'

const LABELS = [63, 63, 63].map(length => 'd'.repeat(length)).join('.')

describe('the setting generatedHosts', () => {
  it.each([
    ['*.t.example.com', '*.t.example.com'],
    [' *.T.Example.COM. ', '*.t.example.com'],
    ['*.xn--mnchen-3ya.example/', '*.xn--mnchen-3ya.example'],
    ['*.localhost', '*.localhost'],
  ])('%j gives each label a host', (text, pattern) => {
    expect(generatedHostsProblem(text)).toBeUndefined()
    expect(generatedHostPattern(text, undefined)).toBe(pattern)
    for (const label of ['a', 'x'.repeat(63)]) {
      const mount = generatedMount(label, pattern)
      expect(mount).toEqual({ ok: true, value: `${label}${pattern.slice(1)}` })
      expect(mount.ok && parseMount(mount.value).ok).toBe(true)
    }
  })

  it.each([
    ['*', /not a wildcard host/],
    ['t.example.com', /not a wildcard host/],
    ['*.t.example.com/x', /not a wildcard host/],
    ['*.t.example.com:80', /port/],
    ['*.*.example.com', /not a host name/],
    [`*.${LABELS}`, /too long/],
    ['*.1.2.3.4', /not a host name that a URL can have/],
    ['*.example.4', /not a host name that a URL can have/],
  ])('%j is refused', (text, problem) => {
    expect(generatedHostsProblem(text)).toMatch(problem)
  })
})

describe('without the setting', () => {
  it.each([
    [undefined, '*.localhost'],
    ['http://127.0.0.1:4000', '*.localhost'],
    ['http://[::1]:4000', '*.localhost'],
    ['https://proxy.example.com', '*.proxy.example.com'],
    ['https://10.0.0.1', undefined],
    ['https://[2001:db8::1]', undefined],
  ])('publicUrl %j has the hosts %j', (publicUrl, pattern) => {
    expect(generatedHostPattern(undefined, publicUrl)).toBe(pattern)
  })

  it.each(['', '-a', 'a-', 'A', 'a.b', '*', 'é', 'x'.repeat(64)])('rejects the label %j', label => {
    expect(generatedMount(label, '*.t.example.com')).toMatchObject({ ok: false })
  })
})
