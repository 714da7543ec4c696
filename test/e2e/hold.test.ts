// A restart of the only Telephone under load (acceptance test T9): with `holdMs`, requests wait for it, and no request fails.
// `npm run soak -- hold` restarts it again and again for a minute, with the time of the acceptance test.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { connect } from '../../telephone/index.ts'
import { eventually } from '../support/deadline.ts'
import { countOutcomes, sendAtRate } from '../support/http/open-loop.ts'
import { HOST, SERVICE, useStack } from '../support/programs/stack.ts'
import { SOAK_MS } from '../support/soak.ts'

const stack = useStack({ withoutTelephone: true })
const DURATION_MS = SOAK_MS > 0 ? SOAK_MS : 2000
/** The short form also holds on a machine that is too busy to connect in 5 s. */
const HOLD_MS = SOAK_MS > 0 ? 5000 : 30_000
const PER_SECOND = 100
/** Requests between two restarts. */
const SPELL = 60

it('no request fails while the only Telephone restarts', async () => {
  let received = 0
  const server = createServer((_request, response) => {
    received += 1
    response.end('hello')
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await stack.plugboard.call('PATCH', `/v1/services/${SERVICE}`, { policy: { holdMs: HOLD_MS } })
  const start = () =>
    connect({
      plugboard: stack.plugboard.url,
      token: stack.token,
      name: 'only',
      service: SERVICE,
      target: port,
    })
  let telephone = await start()
  let over = false
  const load = sendAtRate({ port: stack.port, host: HOST, perSecond: PER_SECOND, durationMs: DURATION_MS })
  const loaded = load.then(responses => {
    over = true
    return responses
  })
  let restarts = 0
  do {
    const before = received
    await eventually('requests arrive', () => (over || received >= before + SPELL ? true : undefined))
    await telephone.close()
    telephone = await start()
    restarts += 1
  } while (!over && SOAK_MS > 0)
  const responses = await loaded
  await telephone.close()
  expect(countOutcomes(responses)).toEqual({ 200: responses.length })
  expect(restarts).toBeGreaterThan(0)
})
