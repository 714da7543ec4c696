// Retries while all backends fail alike (acceptance test T5): the retry budget keeps the attempts near the number of requests.
// `npm run soak -- retry-budget` sends requests for a minute.

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { countOutcomes, sendAtRate } from '../support/http/open-loop.ts'
import { HOST, useStack } from '../support/programs/stack.ts'
import { SOAK_MS } from '../support/soak.ts'

const stack = useStack({ withoutTelephone: true })
const TELEPHONES = 3
const DURATION_MS = SOAK_MS > 0 ? SOAK_MS : 2000

it('backends that reset every GET receive at most a quarter more attempts than requests', async () => {
  let attempts = 0
  const server = createServer(socket => {
    socket.on('error', () => socket.destroy())
    // A health check sends no bytes. The connection of a request is not used again after the reset.
    socket.once('data', () => {
      attempts += 1
      socket.resetAndDestroy()
    })
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const target = (server.address() as AddressInfo).port
  for (let index = 0; index < TELEPHONES; index += 1) await stack.startTelephone({ target })

  const load = { perSecond: 500, durationMs: DURATION_MS }
  const responses = await sendAtRate({ port: stack.port, host: HOST, ...load })
  expect(countOutcomes(responses)).toEqual({ 502: responses.length })
  expect(attempts).toBeGreaterThan(responses.length)
  // Without the budget, there would be three attempts for each request. The budget also counts the open requests, of which a busy
  // machine has many, and allows ten retries in a second at every rate.
  const seconds = Math.max(...responses.map(({ atMs }) => atMs)) / 1000
  const share = SOAK_MS > 0 ? 1.25 : 1.6
  expect(attempts).toBeLessThanOrEqual(share * responses.length + 10 * (seconds - DURATION_MS / 1000 + 1))
})
