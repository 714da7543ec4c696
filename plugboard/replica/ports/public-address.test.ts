import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { PublicAddress } from './public-address.ts'

const at = (port: number): AddressInfo => ({ address: '127.0.0.1', family: 'IPv4', port })

it('is the open port, or the default port while no port is open', () => {
  const address = new PublicAddress(undefined)
  expect(address.url).toBe('http://localhost:4000')
  address.open([at(4100), at(4200)])
  expect(address.url).toBe('http://localhost:4100')
  expect(address.urlOf('shop.localhost', '/api')).toBe('http://shop.localhost:4100/api')
})

it('is the setting publicUrl, if it is set, with its scheme and without a slash at the end', () => {
  const address = new PublicAddress('https://example.com/')
  address.open([at(4100)])
  expect(address.url).toBe('https://example.com')
  expect(address.urlOf('shop.example.com', '/')).toBe('https://shop.example.com/')
})

it('names its own host for a mount on any host', () => {
  expect(new PublicAddress('https://example.com:8443').urlOf('*', '/app')).toBe(
    'https://example.com:8443/app',
  )
})
