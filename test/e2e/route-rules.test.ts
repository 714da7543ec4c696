// Rules of routes from the admin API and the command line to the public port, with real processes. Each change applies at
// once to requests and WebSockets, so that an old rule never admits a client.

import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { AUDIENCE, ISSUER, Issuer } from '../support/credentials/issuer.ts'
import { send } from '../support/http/http-client.ts'
import { RequestLoop } from '../support/http/request-loop.ts'
import { HOST, SERVICE, useStack } from '../support/programs/stack.ts'

// The issuer of the tests listens on loopback.
const stack = useStack({ plugboardArgs: ['--outbound-networks', '127.0.0.1'] })
const issuer = new Issuer()
let jwksUrl: string
beforeAll(async () => {
  issuer.addKey('ES256')
  jwksUrl = await issuer.listen()
})
afterAll(() => issuer.close())

const ask = (host: string, headers: Record<string, string> = {}, path = '/hello') =>
  send({ port: stack.port, host, path, headers })
const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` })
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

async function cli(...args: string[]): Promise<string> {
  const { code, output } = await stack.plugboard.cli(...args)
  expect(code, output).toBe(0)
  return output
}

it('a password is set, changed and removed by the command line, while another route is served', async () => {
  const loop = new RequestLoop({ port: stack.port, host: HOST })
  const file = join(stack.folder, 'password')
  const password = async (text: string) => writeFile(file, text)
  await password('first\n')
  await cli(
    'route',
    'add',
    'staff.localhost',
    '--service',
    SERVICE,
    '--basic-user',
    'ada',
    '--password-file',
    file,
  )
  expect((await ask('staff.localhost')).status).toBe(401)
  expect((await ask('staff.localhost', basic('ada:first'))).status).toBe(200)
  await password('second')
  const said = await cli(
    'route',
    'set',
    'staff.localhost',
    '--basic-user',
    'ada',
    '--password-file',
    file,
    '-o',
    'json',
  )
  expect(said).not.toContain('scrypt')
  expect((await ask('staff.localhost', basic('ada:first'))).status).toBe(401)
  expect((await ask('staff.localhost', basic('ada:second'))).status).toBe(200)
  await cli('route', 'set', 'staff.localhost', '--option', 'access=null')
  expect((await ask('staff.localhost')).status).toBe(200)
  await cli('route', 'set', 'staff.localhost', '--deny-ip', '127.0.0.0/8')
  const denied = await ask('staff.localhost')
  expect([denied.status, denied.headers['plugboard-error']]).toEqual([403, 'address_denied'])
  await loop.successes(20)
  expect(await loop.stop()).toEqual([])
})

it('tokens of an issuer give access to a route, also for a WebSocket, when the issuer rotates its keys or stops', async () => {
  const jwt = { issuer: ISSUER, audience: AUDIENCE, jwksUrl, forward: { sub: 'X-User' } }
  const route = { mount: 'api.localhost', service: SERVICE, options: { access: { jwt } } }
  await stack.plugboard.call('POST', '/v1/routes', route)
  expect((await ask('api.localhost')).status).toBe(401)
  const token = issuer.token({ sub: 'ada' })
  expect((await ask('api.localhost', bearer(token))).status).toBe(200)
  const url = `ws://127.0.0.1:${stack.port}/ws`
  const refused = new WebSocket(url, { headers: { host: 'api.localhost' } })
  const [error] = (await once(refused, 'error')) as [Error]
  expect(error.message).toContain('401')
  const socket = new WebSocket(url, { headers: { host: 'api.localhost', ...bearer(token) } })
  await once(socket, 'open')
  issuer.response = { status: 500 }
  expect((await ask('api.localhost', bearer(issuer.token({ n: 1 })))).status).toBe(200)
  // Open connections stay, because rules apply to new requests only.
  await cli('route', 'set', 'api.localhost', '--deny-ip', '127.0.0.1')
  expect((await ask('api.localhost', bearer(token))).status).toBe(403)
  socket.send('still there')
  expect(String((await once(socket, 'message'))[0])).toBe('still there')
  socket.close()
  await once(socket, 'close')
})

it('a maintenance page is switched on and off, and a redirect needs no service and no Telephone', async () => {
  await cli('route', 'add', 'shop.localhost', '--service', SERVICE)
  await cli('route', 'set', 'shop.localhost', '--maintenance', 'Back at noon.')
  const page = await ask('shop.localhost')
  expect([page.status, page.text, page.headers['retry-after']]).toEqual([503, 'Back at noon.\n', '60'])
  await cli('route', 'set', 'shop.localhost', '--no-maintenance')
  expect((await ask('shop.localhost')).status).toBe(200)
  await cli('route', 'add', 'old.localhost', '--redirect', 'https://shop.localhost')
  expect((await ask('old.localhost', {}, '/a?b')).headers.location).toBe('https://shop.localhost/a?b')
  const bundle = join(stack.folder, 'bundle.yaml')
  await cli('export', '--file', bundle)
  expect(await cli('import', bundle)).toContain('nothing to do')
})
