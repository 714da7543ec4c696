// Real sockets on loopback; only names are looked up in a list of the test.

import type { LookupAddress } from 'node:dns'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { OutboundNetworks } from '../routes/options/outbound-networks.ts'
import { guardedFetch } from './guarded-fetch.ts'

let server: Server
let port: number
let requests: string[]
let respond: RequestListener
beforeEach(async () => {
  requests = []
  respond = (_req, res) => res.end('{"keys":[]}')
  server = createServer((req, res) => {
    requests.push(`${req.headers.host} ${req.url}`)
    respond(req, res)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

const ipv4 = (address: string): LookupAddress => ({ address, family: 4 })

function fetchOf(
  url: string,
  {
    allowed = ['127.0.0.1'],
    names = {} as Record<string, LookupAddress[]>,
    timeoutMs = 5000,
    maxBytes = 100,
  } = {},
): Promise<string> {
  return guardedFetch(url, {
    networks: new OutboundNetworks(allowed),
    timeoutMs,
    maxBytes,
    accept: 'application/json',
    lookup: (host, done) => done(null, names[host] ?? []),
  }).then(body => body.toString('utf8'))
}

test('an allowed URL is fetched', async () => {
  expect(await fetchOf(`http://127.0.0.1:${port}/jwks`)).toBe('{"keys":[]}')
  const names = { localhost: [ipv4('127.0.0.1')] }
  expect(await fetchOf(`http://localhost:${port}/x`, { names })).toBe('{"keys":[]}')
  expect(requests).toEqual([`127.0.0.1:${port} /jwks`, `localhost:${port} /x`])
})

describe('no request reaches', () => {
  test.each([
    ['an address that is not allowed', 'http://127.0.0.1', {}],
    ['the same in IPv6 form', 'http://[::ffff:127.0.0.1]', {}],
    ['the same as a number', 'http://2130706433', {}],
    ['a name for it', 'http://localhost', { localhost: [ipv4('127.0.0.1')] }],
    ['a name for it over TLS', 'https://keys.test', { 'keys.test': [ipv4('127.0.0.1')] }],
    [
      'several names for it',
      'https://keys.test',
      { 'keys.test': [ipv4('127.0.0.1'), { address: '::1', family: 6 }] },
    ],
    ['a name of no address', 'https://keys.test', {}],
  ])('%s', async (_what, url, names: Record<string, LookupAddress[]>) => {
    await expect(fetchOf(`${url}:${port}/`, { allowed: [], names })).rejects.toThrow(
      /is not a public address: add its network to the setting outboundNetworks|has no address/,
    )
    expect(requests).toEqual([])
  })

  test('a name that leads to another machine without TLS', async () => {
    const names = { localhost: [ipv4('10.0.0.1')] }
    await expect(fetchOf(`http://localhost:${port}/`, { allowed: ['10.0.0.0/8'], names })).rejects.toThrow(
      'localhost cannot be used: 10.0.0.1 is not on this machine, and needs https.',
    )
  })
})

test('of several addresses, only the allowed ones are used', async () => {
  const names = { localhost: [ipv4('127.0.0.2'), ipv4('127.0.0.1')] }
  expect(await fetchOf(`http://localhost:${port}/`, { names })).toBe('{"keys":[]}')
})

test.each([301, 302, 307, 308, 404, 204, 500])(
  'refuses a response of status %i, and follows no redirect',
  async status => {
    respond = (_req, res) => res.writeHead(status, { location: '/elsewhere' }).end()
    await expect(fetchOf(`http://127.0.0.1:${port}/`)).rejects.toThrow(
      `The response has the status ${status}; 200 is expected.`,
    )
    expect(requests).toHaveLength(1)
  },
)

test('a response that is too long ends early', async () => {
  const closed = Promise.withResolvers<void>()
  respond = (_req, res) => {
    res.on('close', closed.resolve)
    res.write('x'.repeat(101))
  }
  await expect(fetchOf(`http://127.0.0.1:${port}/`)).rejects.toThrow('longer than 100 bytes')
  await closed.promise
})

test.each(['head', 'body'])('a response whose %s does not come ends', async part => {
  respond = (_req, res) => {
    if (part === 'body') res.write('x')
  }
  await expect(fetchOf(`http://127.0.0.1:${port}/`, { timeoutMs: 100 })).rejects.toThrow(/timeout|aborted/i)
})
