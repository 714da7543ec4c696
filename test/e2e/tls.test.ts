// HTTPS through real processes: the same requests as on the plain port. Plugboard itself terminates TLS.

import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { Agent, type RequestOptions, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connect, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import {
  APP_CERTIFICATE,
  OTHER_CERTIFICATE,
  RENEWED_CERTIFICATE,
  TEST_CA,
  type TestCertificate,
} from '../support/credentials/certificates.ts'
import { send } from '../support/http/http-client.ts'
import { RawConnection } from '../support/http/raw-connection.ts'
import { isPattern, patternBytes, patternHash } from '../support/pattern.ts'
import { freePort } from '../support/process/free-port.ts'
import { HOST, Stack } from '../support/programs/stack.ts'
import { TelephoneProcess } from '../support/programs/telephone-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'vera-tls-'))
let tlsPort = 0
let stack: Stack

const put = async ({ cert, key }: TestCertificate, name = 'app'): Promise<void> => {
  await writeFile(join(folder, `${name}.crt`), cert)
  await writeFile(join(folder, `${name}.key`), key)
}

beforeAll(async () => {
  await put(APP_CERTIFICATE)
  await put(OTHER_CERTIFICATE, 'other')
  tlsPort = await freePort()
  const flags = [
    ['--tls-listen', `127.0.0.1:${tlsPort}`, '--tls-certificate-folder', folder],
    ['--tls-handshake-timeout', '1s', '--https-redirect', '--hsts-max-age', '1h'],
  ]
  stack = new Stack({ plugboardArgs: flags.flat() })
  await stack.start()
})
afterAll(async () => {
  await stack.stop()
  await rm(folder, { recursive: true, force: true })
})

async function get(path: string, { body, ...more }: RequestOptions & { body?: Buffer } = {}) {
  const options = {
    host: '127.0.0.1',
    port: tlsPort,
    path,
    ca: TEST_CA,
    servername: HOST,
    agent: false,
    ...more,
  }
  const outgoing = request({ ...options, headers: { host: HOST } })
  outgoing.end(body)
  const [message] = await once(outgoing, 'response')
  return { status: message.statusCode, headers: message.headers, message }
}

/** Performs a handshake and sends no request. The caller closes the connection. */
async function shake(servername: string): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port: tlsPort, ca: TEST_CA, servername })
  await once(socket, 'secureConnect')
  return socket
}

const nameOf = (socket: TLSSocket): string => String(socket.getPeerCertificate().subject?.CN)

describe('requests', () => {
  it('reach the backend like those of the plain port, with the scheme https', async () => {
    const { status, headers, message } = await get('/request')
    const { rawHeaders } = JSON.parse(await text(message))
    expect(status).toBe(200)
    expect(headers['strict-transport-security']).toBe('max-age=3600')
    const fieldNamed = (name: string) => rawHeaders[rawHeaders.indexOf(name) + 1]
    expect([fieldNamed('X-Forwarded-Proto'), fieldNamed('X-Forwarded-Port')]).toEqual(['https', '443'])
  })

  it('carry bodies in both directions', async () => {
    const body = patternBytes(0, 3_000_000)
    const up = await get('/hash', { method: 'POST', body })
    expect(JSON.parse(await text(up.message))).toMatchObject({
      bytes: 3_000_000,
      sha256: patternHash(3_000_000),
    })
    const down = await get('/download?bytes=3000000')
    const chunks: Buffer[] = []
    for await (const chunk of down.message) chunks.push(chunk)
    expect(isPattern(Buffer.concat(chunks), 0)).toBe(true)
  })

  it('stream events without delay', async () => {
    const { message } = await get('/stepped')
    let seen = ''
    message.on('data', (chunk: Buffer) => {
      seen += chunk
    })
    for (const event of ['one', 'two']) {
      stack.backend.step(event)
      await expect.poll(() => seen).toContain(`data: ${event}\n\n`)
    }
    stack.backend.step()
    await once(message, 'end')
  })

  it('share a connection, and sessions are resumed', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const sockets = new Set<unknown>()
    for (const path of ['/hash', '/hash']) {
      const { message } = await get(path, { agent, method: 'POST' })
      sockets.add(message.socket)
      await text(message)
    }
    expect(sockets.size).toBe(1)
    agent.destroy()
    const first = await shake(HOST)
    const [session] = await once(first, 'session')
    first.destroy()
    const again = connect({ host: '127.0.0.1', port: tlsPort, ca: TEST_CA, servername: HOST, session })
    await once(again, 'secureConnect')
    expect(again.isSessionReused()).toBe(true)
    again.destroy()
  })

  it('upgrade to a WebSocket', async () => {
    const socket = new WebSocket(`wss://127.0.0.1:${tlsPort}/ws`, {
      headers: { host: HOST },
      ca: TEST_CA,
    })
    await once(socket, 'open')
    socket.send(patternBytes(0, 100_000))
    const [echoed] = await once(socket, 'message')
    expect(isPattern(echoed, 0)).toBe(true)
    socket.close()
    await once(socket, 'close')
  })

  it('of HTTP/1.0 end with a reset when their response is cut', async () => {
    const socket = await shake(HOST)
    socket.write(`GET /die?length=0&when=told HTTP/1.0\r\nHost: ${HOST}\r\n\r\n`)
    await once(socket, 'data')
    socket.resume()
    stack.backend.step()
    await expect(once(socket, 'close')).rejects.toMatchObject({ code: 'ECONNRESET' })
  })

  it('without TLS are redirected to HTTPS, except on routes that allow them', async () => {
    const plain = await send({ port: stack.port, host: HOST, path: '/a/../b?c=d' })
    expect([plain.status, plain.headers.location]).toEqual([308, `https://${HOST}:${tlsPort}/b?c=d`])
    const raw = await RawConnection.open(stack.port)
    await raw.send(`GET /ws HTTP/1.1\r\nHost: ${HOST}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n`)
    expect((await raw.readResponse()).status).toBe(308)
    raw.destroy()
    await stack.plugboard.call('POST', '/v1/routes', {
      mount: 'plain.localhost',
      service: 'app',
      options: { allowHttp: true },
    })
    await expect
      .poll(async () => (await send({ port: stack.port, host: 'plain.localhost', path: '/hello' })).status)
      .toBe(200)
    const unknown = await send({ port: stack.port, host: 'nobody.localhost' })
    expect(unknown.status).toBe(404)
  })
})

it('a Telephone dials over HTTPS', async () => {
  const telephone = await TelephoneProcess.start({
    processes: stack.processes,
    plugboard: stack.plugboard,
    url: `https://localhost:${tlsPort}`,
    args: ['--plugboard-ca', await caFile()],
    target: stack.backend.port,
    token: stack.token,
    service: 'secure',
  })
  await telephone.child.stop()
})

describe('certificates', () => {
  it('are chosen by the server name, and read again without a cut connection', async () => {
    const before = await shake(HOST)
    const other = await shake('other.localhost')
    expect([nameOf(before), nameOf(other)]).toEqual(['app', 'other'])
    other.destroy()
    await put(RENEWED_CERTIFICATE)
    await expect
      .poll(async () => {
        const socket = await shake(HOST)
        const name = nameOf(socket)
        socket.destroy()
        return name
      })
      .toBe('renewed')
    before.write(`GET /hello HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`)
    expect(await text(before)).toMatch(/^HTTP\/1\.1 200 OK/)
  })

  it('that cannot be used are reported, and the one before stays in use', async () => {
    await writeFile(join(folder, 'app.key'), OTHER_CERTIFICATE.key)
    await expect.poll(() => stack.plugboard.child.output).toContain('certificate invalid')
    const socket = await shake(HOST)
    expect(nameOf(socket)).toBe('renewed')
    socket.destroy()
    await put(RENEWED_CERTIFICATE)
  })
})

it('random bytes on the port cause no error line, and a stop finishes open requests', async () => {
  const noise = await RawConnection.open(tlsPort)
  await noise.send('GET / HTTP/1.1\r\n\r\n')
  await noise.closed
  const silent = await RawConnection.open(tlsPort)
  await silent.closed
  const { message } = await get('/stepped')
  const stopped = stack.plugboard.child.stop()
  await expect
    .poll(() =>
      shake(HOST).then(
        () => 'open',
        () => 'closed',
      ),
    )
    .toBe('closed')
  stack.backend.step('last')
  stack.backend.step()
  expect(await text(message)).toContain('data: last')
  expect((await stopped).code).toBe(0)
  const told = stack.plugboard.child.output.split('\n').filter(line => line.includes('"level":"error"'))
  expect(told.filter(line => !line.includes('certificate invalid'))).toEqual([])
  stack.plugboard = await stack.startPlugboard()
})

async function caFile(): Promise<string> {
  const file = join(folder, 'authority.txt')
  await writeFile(file, TEST_CA)
  return file
}
