import { networkInterfaces } from 'node:os'
import { describe, expect, it } from 'vitest'
import { ownPortProblem } from './own-port.ts'

const everywhere = { listen: [{ host: undefined, port: 4000 }], tlsListen: undefined }

describe('ownPortProblem', () => {
  it.each([
    '4000',
    'localhost:4000',
    'http://127.0.0.1:4000',
    'https://[::1]:4000',
    'h2c://app.localhost:4000',
    '0.0.0.0:4000',
  ])('rejects %s, which is a public port of Plugboard itself', target => {
    expect(ownPortProblem(target, everywhere)).toMatch(
      /^"[^"]+" is the public port of this Plugboard, .* --port\.$/,
    )
  })

  it('rejects the HTTPS port and the other addresses of this machine', () => {
    expect(
      ownPortProblem('https://localhost', { ...everywhere, tlsListen: { host: undefined, port: 443 } }),
    ).toBeDefined()
    for (const { address } of Object.values(networkInterfaces()).flatMap(list => list ?? [])) {
      const host = address.includes(':') ? `[${address}]` : address
      expect(ownPortProblem(`http://${host}:4000`, everywhere), address).toBeDefined()
    }
  })

  it.each(['3000', '4001', 'unix:/run/app.sock', 'http://192.0.2.7:4000', 'https://proxy.example.com:4000'])(
    'accepts %s, which is another server',
    target => {
      expect(ownPortProblem(target, everywhere)).toBeUndefined()
    },
  )

  it('accepts the same port on an address where Plugboard does not listen', () => {
    const onOne = { listen: [{ host: '127.0.0.2', port: 4000 }], tlsListen: undefined }
    expect(ownPortProblem('127.0.0.1:4000', onOne)).toBeUndefined()
    expect(ownPortProblem('127.0.0.2:4000', onOne)).toBeDefined()
    const onLoopback = { listen: [{ host: 'localhost', port: 4000 }], tlsListen: undefined }
    expect(ownPortProblem('[::1]:4000', onLoopback)).toBeDefined()
  })

  it('accepts every port when the system chooses the public port', () => {
    expect(
      ownPortProblem('4000', { listen: [{ host: undefined, port: 0 }], tlsListen: undefined }),
    ).toBeUndefined()
  })
})
