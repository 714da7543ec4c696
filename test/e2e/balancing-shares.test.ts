// Acceptance test T1 in its short form: two Telephones with equal weights and with 1 and 4 tunnels get equal shares under each
// balancing policy, also while a tunnel breaks and connects again. plugboard/telephones/picker/process-shares.test.ts has the
// long form in simulated time.

import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { Relay } from '../support/http/relay.ts'
import { HOST, SERVICE, useStack } from '../support/programs/stack.ts'

const REQUESTS = 300
const CLIENTS = 6
/** Long enough that the load of the machine does not make one backend much slower than the other. */
const RESPONSE_MS = 20
const stack = useStack({ withoutTelephone: true })
const servers: Server[] = []
const relays: Relay[] = []

beforeAll(async () => {
  for (const [name, tunnels] of [
    ['one', 1],
    ['four', 4],
  ] as const) {
    const respond = (response: ServerResponse) => void setTimeout(() => response.end(name), RESPONSE_MS)
    const server = createServer((_request, response) => respond(response)).listen(0, '127.0.0.1')
    servers.push(server)
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const relay = await Relay.listen({ targetPort: stack.port })
    relays.push(relay)
    const url = `http://127.0.0.1:${relay.port}`
    await stack.startTelephone({ target: port, name, url, args: ['--tunnels', String(tunnels)] })
  }
  await fourTunnels()
})
afterAll(async () => {
  await Promise.all(relays.map(relay => relay.close()))
  for (const server of servers) server.close()
})

const fourTunnels = () =>
  eventually('the telephone has four tunnels', async () => {
    const { items } = await stack.plugboard.call<{ items: { name: string }[] }>('GET', '/v1/telephones')
    return items.filter(({ name }) => name === 'four').length === 4 ? true : undefined
  })

/** Returns the part of the requests that the telephone with one tunnel gets. */
async function shareOfOne(): Promise<number> {
  let one = 0
  let sent = 0
  const client = async () => {
    while (sent < REQUESTS) {
      sent += 1
      const headers = { 'x-key': String(sent) }
      const { status, text } = await send({ port: stack.port, host: HOST, path: '/', headers })
      expect(status).toBe(200)
      if (text === 'one') one += 1
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  return one / sent
}

it.each<[string, object, number]>([
  ['round_robin', {}, 0.03],
  ['least_streams', {}, 0.1],
  ['random', {}, 0.15],
  ['peak_ewma', {}, 0.2],
  ['hash', { hashOn: { header: 'X-Key' } }, 0.2],
])(
  '%s gives one and four tunnels equal shares, also while a tunnel breaks',
  async (balancing, more, bound) => {
    const policy = { balancing, hashOn: null, ...more }
    await stack.plugboard.call('PATCH', `/v1/services/${SERVICE}`, { policy })
    expect(Math.abs((await shareOfOne()) - 0.5)).toBeLessThan(bound)
    const during = shareOfOne()
    relays[1]?.cutOldest()
    expect(Math.abs((await during) - 0.5)).toBeLessThan(bound)
    await fourTunnels()
  },
)
