import { createSecureContext, getCiphers } from 'node:tls'
import { expect, it } from 'vitest'
import { cipherNames, cipherProblem, keyExchangeGroups } from './ciphers.ts'

it('expands to the intermediate list of Mozilla, and this Node supports each cipher in it', () => {
  const names = cipherNames(['intermediate'])
  expect(names).toEqual([
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
  ])
  const known = getCiphers()
  expect(names.filter(name => !known.includes(name.toLowerCase()))).toEqual([])
})

it('accepts names in any case and joined by colons, and removes repetitions', () => {
  const items = ['ecdhe-rsa-aes128-sha:TLS_AES_256_GCM_SHA384', 'intermediate']
  const names = cipherNames(items)
  expect(names.slice(0, 3)).toEqual([
    'ECDHE-RSA-AES128-SHA',
    'TLS_AES_256_GCM_SHA384',
    'TLS_AES_128_GCM_SHA256',
  ])
  expect(new Set(names).size).toBe(names.length)
  expect(items.map(cipherProblem)).toEqual([undefined, undefined])
  expect(() => createSecureContext({ ciphers: names.join(':') })).not.toThrow()
})

it.each(['nonsense', 'ECDHE-RSA-AES128-SHA:HIGH', '!aNULL', 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', ''])(
  'refuses %j, which is no name of a cipher',
  item => {
    expect(cipherProblem(item)).toMatch(
      /is not a cipher of this Node: use "intermediate" or names of OpenSSL/,
    )
  },
)

it.each([
  'PSK-AES128-GCM-SHA256',
  'srp-aes-128-cbc-sha',
  'DHE-RSA-AES128-GCM-SHA256',
  'TLS_AES_128_CCM_8_SHA256',
])('refuses %s, which no handshake can use', name => {
  expect(cipherProblem(`intermediate:${name}`)).toContain(`"${name}" fits no certificate`)
})

it('offers only elliptic curves for the key exchange', () => {
  expect(keyExchangeGroups()).toMatch(/^(X25519MLKEM768:)?X25519:prime256v1:secp384r1$/)
})
