// Sticky sessions with real processes: two backends that keep their sessions in memory, behind two Telephones. The client uses
// the default transports of Socket.IO, which fail when two requests of one session reach different backends.

import { once } from 'node:events'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { type EngineServer, startEngineServer } from '../support/backend/engine-server.ts'
import { within } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { HOST, SERVICE, useStack } from '../support/programs/stack.ts'

const SESSIONS = 12
const stack = useStack({ withoutTelephone: true })
const servers: EngineServer[] = []

beforeAll(async () => {
  for (const name of ['one', 'two']) {
    const server = await startEngineServer(name)
    servers.push(server)
    await stack.startTelephone({ target: server.port, name: `engine-${name}` })
  }
})
afterAll(() => Promise.all(servers.map(server => server.close())))

async function setPolicy(policy: object): Promise<void> {
  await stack.plugboard.call('PATCH', `/v1/services/${SERVICE}`, { policy })
  await stack.plugboard.untilApplied()
}

const PATH = '/socket.io/?EIO=4&transport='

/** Opens a session as a browser does. Returns the names of the servers of two messages, or the failure. */
async function session(): Promise<string> {
  let cookie = ''
  const ask = async (sid: string, body?: string): Promise<string> => {
    const path = `${PATH}polling${sid === '' ? '' : `&sid=${sid}`}`
    const headers = cookie === '' ? {} : { cookie }
    const method = body === undefined ? 'GET' : 'POST'
    const response = await send({
      port: stack.port,
      host: HOST,
      path,
      headers,
      method,
      ...(body && { body }),
    })
    cookie = response.headers['set-cookie']?.[0]?.split(';')[0] ?? cookie
    return response.status === 200 ? response.text : `failed: ${response.status} ${response.text}`
  }
  const opened = await ask('')
  const { sid } = JSON.parse(opened.slice(1)) as { sid: string }
  for (const packet of ['40', '42["hello"]']) {
    const posted = await ask(sid, packet)
    if (posted !== 'ok') return posted
    const polled = await ask(sid)
    if (!polled.startsWith('4')) return polled
    // Without a sticky session, the polls may reach one server by accident, and the upgrade the other one, which rejects it.
    if (packet !== '40') return `${polled} ${await upgrade(sid, cookie).catch(String)}`
  }
  return 'failed: no message'
}

/** Upgrades the session to a WebSocket, and returns the reply to a message. */
async function upgrade(sid: string, cookie: string): Promise<string> {
  const webSocket = new WebSocket(`ws://127.0.0.1:${stack.port}${PATH}websocket&sid=${sid}`, {
    headers: { host: HOST, ...(cookie !== '' && { cookie }) },
  })
  try {
    await within(once(webSocket, 'open'), 10_000, 'the WebSocket opens')
    const reply = async (packet: string) => {
      const message = once(webSocket, 'message')
      webSocket.send(packet)
      return String((await within(message, 10_000, `the reply to ${packet}`))[0])
    }
    if ((await reply('2probe')) !== '3probe') return 'failed: probe'
    webSocket.send('5')
    return await reply('42["hello"]')
  } finally {
    webSocket.terminate()
  }
}

it('serves the default transports of Socket.IO over two backends', async () => {
  // Round robin sends each request to the other backend, so that no session works by accident.
  await setPolicy({ balancing: 'round_robin' })
  const broken = await Promise.all(Array.from({ length: SESSIONS }, session))
  expect(broken.filter(result => result.includes('Session ID unknown')).length).toBeGreaterThan(0)
  await setPolicy({ sticky: { cookie: {} } })
  const results = await Promise.all(Array.from({ length: SESSIONS }, session))
  const whole = (name: string) => `42["from","${name}"] 42["from","${name}"]`
  expect(new Set(results)).toEqual(new Set([whole('one'), whole('two')]))
})

it('rejects a name of a cookie that browsers treat in a special way, on the command line', async () => {
  const { code, output } = await stack.plugboard.cli(
    'service',
    'set',
    SERVICE,
    '--policy',
    'sticky={"cookie":{"name":"__Host-x"}}',
  )
  expect([code, output]).toEqual([1, expect.stringContaining('is not a name of a cookie')])
})
