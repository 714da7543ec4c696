// The address of the client behind a load balancer that uses the PROXY protocol, on the plain port and with TLS. The balancer
// is 127.0.0.2. All other clients and the Telephone connect directly.

import { mkdtempSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { connect as connectTcp, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { APP_CERTIFICATE, TEST_CA } from '../support/credentials/certificates.ts'
import { within } from '../support/deadline.ts'
import { freePort } from '../support/process/free-port.ts'
import { HOST, Stack } from '../support/programs/stack.ts'

const BALANCER = '127.0.0.2'
const V1 = Buffer.from('PROXY TCP4 203.0.113.7 10.0.0.1 56324 443\r\n')
const V2 = Buffer.from('0d0a0d0a000d0a515549540a2111000ccb0071080a000001dc0401bb', 'hex')
const LOCAL = Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex')

const folder = mkdtempSync(join(tmpdir(), 'vera-address-'))
let tlsPort = 0
let stack: Stack

beforeAll(async () => {
  await writeFile(join(folder, 'app.crt'), APP_CERTIFICATE.cert)
  await writeFile(join(folder, 'app.key'), APP_CERTIFICATE.key)
  tlsPort = await freePort()
  const tls = ['--tls-listen', `127.0.0.1:${tlsPort}`, '--tls-certificate-folder', folder]
  stack = new Stack({ plugboardArgs: ['--proxy-protocol', '--trusted-proxies', BALANCER, ...tls] })
  await stack.start()
})
afterAll(async () => {
  await stack.stop()
  await rm(folder, { recursive: true, force: true })
})

/** Sends `header` and a request from the address `from`. Resolves with all bytes until the server closes. */
async function ask(options: {
  from: string
  header?: Buffer
  fields?: readonly string[]
  tls?: boolean
}): Promise<string> {
  const { from, header, fields = [], tls = false } = options
  const lines = ['GET /request HTTP/1.1', `Host: ${HOST}`, 'Connection: close', ...fields, '', '']
  const tcp = connectTcp({ host: '127.0.0.1', port: tls ? tlsPort : stack.port, localAddress: from })
  if (header !== undefined) tcp.write(header)
  const socket: Socket = tls ? connectTls({ socket: tcp, servername: HOST, ca: TEST_CA }) : tcp
  const said = Promise.withResolvers<string>()
  let text = ''
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
  })
  socket.on('error', () => undefined).on('close', () => said.resolve(text))
  socket.write(lines.join('\r\n'))
  return await within(said.promise, 15_000, 'the connection closes')
}

const forwardedFor = (response: string) =>
  /"X-Forwarded-For","([^"]*)"/i.exec(response.replaceAll(' ', ''))?.[1]

it.each([false, true])('is the address in the PROXY header (TLS: %s)', async tls => {
  expect(forwardedFor(await ask({ from: BALANCER, header: V1, tls }))).toBe('203.0.113.7')
  expect(forwardedFor(await ask({ from: BALANCER, header: V2, tls }))).toBe('203.0.113.8')
  // A health check of the balancer itself.
  expect(forwardedFor(await ask({ from: BALANCER, header: LOCAL, tls }))).toBe(BALANCER)
})

it('is not a trusted proxy because the header names it, so its X-Forwarded-For is ignored', async () => {
  const fields = ['X-Forwarded-For: 198.51.100.1']
  expect(forwardedFor(await ask({ from: BALANCER, header: V1, fields }))).toBe('203.0.113.7')
})

it.each([false, true])('is the peer of a direct connection (TLS: %s)', async tls => {
  expect(forwardedFor(await ask({ from: '127.0.0.1', tls }))).toBe('127.0.0.1')
})

it('comes only from a header of the balancer, and the balancer must send one', async () => {
  expect(await ask({ from: '127.0.0.1', header: V1 })).toMatch(/^HTTP\/1\.1 400 /)
  expect(await ask({ from: BALANCER })).toBe('')
})
