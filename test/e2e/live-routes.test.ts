// Adds, changes and deletes routes through the API and the command line while requests run. Each change is visible at once,
// and other requests and routes are not affected.

import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { Backend } from '../support/backend/backend-process.ts'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { RequestLoop } from '../support/http/request-loop.ts'
import { HOST, SERVICE, useStack } from '../support/programs/stack.ts'

const stack = useStack()

/** Resolves when the host responds with the status. */
function responses(host: string, status: number, path = '/hello') {
  return eventually(`${host}${path} responds with ${status}`, async () => {
    const response = await send({ port: stack.port, host, path })
    return response.status === status ? response : undefined
  })
}

describe('while requests run and a WebSocket is open', () => {
  let loop: RequestLoop
  let socket: WebSocket

  beforeEach(async () => {
    socket = new WebSocket(`ws://127.0.0.1:${stack.port}/ws`, { headers: { host: HOST } })
    await once(socket, 'open')
    loop = new RequestLoop({ port: stack.port, host: HOST })
    await loop.successes(20)
  })

  afterEach(async () => {
    await loop.successes(20)
    expect(await loop.stop()).toEqual([])
    socket.send('still there')
    const [message] = await once(socket, 'message')
    expect(String(message)).toBe('still there')
    socket.close()
    await once(socket, 'close')
  })

  it('adds, changes and deletes routes by the API', async () => {
    for (let round = 0; round < 5; round += 1) {
      const host = `api-${round}.localhost`
      await responses(host, 404)
      const { id } = await stack.plugboard.addRoute(host, SERVICE)
      await responses(host, 200)
      await stack.plugboard.call('PATCH', `/v1/routes/${id}`, { mount: `${host}/hello` })
      await responses(host, 404, '/elsewhere')
      await responses(host, 200)
      await stack.plugboard.call('DELETE', `/v1/routes/${id}`)
      await responses(host, 404)
    }
  })

  it('adds, changes and deletes routes by the command line', async () => {
    const host = 'cli.localhost'
    const run = async (...args: string[]) => {
      const { code, output } = await stack.plugboard.cli(...args)
      expect(code, output).toBe(0)
      return output
    }
    await run('route', 'add', host, '--service', SERVICE)
    await responses(host, 200)
    expect(await run('route', 'list')).toContain(host)
    await run('service', 'add', 'other')
    await run('route', 'set', host, '--service', 'other')
    const { headers } = await responses(host, 503)
    expect(headers['plugboard-error']).toBe('no_telephone')
    expect(Number(headers['retry-after'])).toBeGreaterThan(0)
    await run('route', 'rm', host)
    await responses(host, 404)
  })
})

it('moves a route from one service to another without a failed request', async () => {
  const other = await Backend.start(stack.processes)
  await stack.plugboard.addService('blue')
  const telephone = await stack.startTelephone({ service: 'blue', target: other.port })
  await stack.plugboard.addRoute('moving.localhost', SERVICE)
  await responses('moving.localhost', 200)
  const loop = new RequestLoop({ port: stack.port, host: 'moving.localhost' })
  await loop.successes(20)
  await stack.plugboard.call('PATCH', '/v1/routes/moving.localhost', { service: 'blue' })
  await other.next('request', report => report.url === '/hello')
  await loop.successes(20)
  expect(await loop.stop()).toEqual([])
  await telephone.child.stop()
})

it('names the route that a mount conflicts with', async () => {
  const conflict = await stack.plugboard.api('POST', '/v1/routes', {
    mount: `${HOST}/below`,
    service: SERVICE,
  })
  expect(conflict.status).toBe(409)
  expect(JSON.parse(conflict.text)).toMatchObject({ code: 'mount_conflict' })
  expect(conflict.text).toContain(HOST)
})
