// Acceptance test T1: two Telephones with equal weights and with 1 and 4 tunnels get equal shares under each balancing policy, also
// while a tunnel breaks and connects again. The long form, `npm run soak -- balancing-shares`, sends requests for a minute with
// each policy and applies the bounds of the acceptance test. plugboard/telephones/picker/process-shares.test.ts has the same in
// simulated time.

import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { Relay } from '../support/http/relay.ts'
import { HOST, SERVICE, useStack } from '../support/programs/stack.ts'
import { printFigures, SOAK_MS } from '../support/soak.ts'

const REQUESTS = 300
/** The acceptance test demands its bounds over this many requests. */
const LONG_REQUESTS = 4000
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
  await untilTunnels(4)
})
afterAll(async () => {
  await Promise.all(relays.map(relay => relay.close()))
  for (const server of servers) server.close()
})

const untilTunnels = (count: number) =>
  eventually(`the telephone has ${count} tunnels`, async () => {
    const { items } = await stack.plugboard.call<{ items: { name: string }[] }>('GET', '/v1/telephones')
    return items.filter(({ name }) => name === 'four').length === count ? true : undefined
  })

/** Sends requests until `isOver` returns true. Returns the part of them that the telephone with one tunnel gets. */
async function shareOfOne(isOver: (sent: number) => boolean): Promise<{ share: number; sent: number }> {
  let one = 0
  let sent = 0
  const client = async () => {
    while (!isOver(sent)) {
      sent += 1
      const headers = { 'x-key': String(sent) }
      const { status, text } = await send({ port: stack.port, host: HOST, path: '/', headers })
      expect(status).toBe(200)
      if (text === 'one') one += 1
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  return { share: one / sent, sent }
}

async function setPolicy(balancing: string, more: object): Promise<void> {
  const policy = { balancing, hashOn: null, ...more }
  await stack.plugboard.call('PATCH', `/v1/services/${SERVICE}`, { policy })
  await stack.plugboard.untilApplied()
}

const HASH = { hashOn: { header: 'X-Key' } }

it.skipIf(SOAK_MS > 0).each<[string, object, number]>([
  ['round_robin', {}, 0.03],
  ['least_streams', {}, 0.1],
  ['random', {}, 0.15],
  ['peak_ewma', {}, 0.2],
  ['hash', HASH, 0.2],
])(
  '%s gives one and four tunnels equal shares, also while a tunnel breaks',
  async (balancing, more, bound) => {
    await setPolicy(balancing, more)
    const enough = (sent: number) => sent >= REQUESTS
    expect(Math.abs((await shareOfOne(enough)).share - 0.5)).toBeLessThan(bound)
    const during = shareOfOne(enough)
    relays[1]?.cutOldest()
    expect(Math.abs((await during).share - 0.5)).toBeLessThan(bound)
    await untilTunnels(4)
  },
)

it.runIf(SOAK_MS > 0).each<[string, object, number]>([
  ['round_robin', {}, 0.03],
  ['least_streams', {}, 0.03],
  ['random', {}, 0.03],
  ['peak_ewma', {}, 0.15],
  ['hash', HASH, 0.15],
])('%s gives one, three and four tunnels equal shares for a minute', async (balancing, more, bound) => {
  await setPolicy(balancing, more)
  const shares: Record<string, number> = {}
  const measure = async (part: string, isPartOver: () => boolean) => {
    const { share, sent } = await shareOfOne(requests => requests >= LONG_REQUESTS && isPartOver())
    shares[part] = Math.round(share * 10_000) / 100
    shares[`${part}Requests`] = sent
    return share
  }
  const until = (endMs: number) => () => performance.now() >= endMs
  const partMs = SOAK_MS / 3
  const results = [await measure('four', until(performance.now() + partMs))]
  // A tunnel breaks and connects again, all the time.
  const changesEndMs = performance.now() + partMs
  let changes = 0
  const change = async () => {
    while (performance.now() < changesEndMs) {
      relays[1]?.cutOldest()
      changes += 1
      await untilTunnels(4)
    }
  }
  const changing = change()
  results.push(await measure('during', until(changesEndMs)))
  await changing
  relays[1]?.refuse(true)
  relays[1]?.cutOldest()
  await untilTunnels(3)
  results.push(await measure('three', until(performance.now() + partMs)))
  relays[1]?.refuse(false)
  await untilTunnels(4)
  printFigures({ ...shares, changes })
  for (const share of results) expect(Math.abs(share - 0.5)).toBeLessThanOrEqual(bound)
})
