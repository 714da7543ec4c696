import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { connect } from 'node:tls'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { useLeakCheck } from '../../test/support/leak-check.ts'
import { offersOnly } from './client-hello.ts'

useLeakCheck()

/** Returns the first bytes that a real client sends. */
async function clientHello(
  ALPNProtocols: string[] | undefined,
  maxVersion: 'TLSv1.2' | 'TLSv1.3',
): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const alpn = ALPNProtocols === undefined ? {} : { ALPNProtocols }
  const client = connect({ port, host: '127.0.0.1', servername: 'a.test', maxVersion, ...alpn })
  client.on('error', () => undefined)
  const [socket] = await once(server, 'connection')
  const [bytes] = await once(socket, 'data')
  client.destroy()
  socket.destroy()
  server.close()
  await once(server, 'close')
  return bytes
}

it('recognises a client that offers only the one protocol', async () => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    expect(offersOnly(await clientHello(['acme-tls/1'], version), 'acme-tls/1')).toBe(true)
    expect(offersOnly(await clientHello(['h2', 'http/1.1'], version), 'acme-tls/1')).toBe(false)
    expect(offersOnly(await clientHello(['acme-tls/1', 'h2'], version), 'acme-tls/1')).toBe(false)
    expect(offersOnly(await clientHello(undefined, version), 'acme-tls/1')).toBe(false)
  }
})

it('returns false for an incomplete ClientHello, and for all other bytes', async () => {
  const whole = await clientHello(['acme-tls/1'], 'TLSv1.3')
  for (let length = 0; length < whole.length; length += 1) {
    expect(offersOnly(whole.subarray(0, length), 'acme-tls/1')).toBe(false)
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), noise => {
      offersOnly(Buffer.from(noise), 'acme-tls/1')
      offersOnly(Buffer.concat([whole.subarray(0, 60), noise]), 'acme-tls/1')
    }),
  )
})
