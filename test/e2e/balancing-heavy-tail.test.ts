// The policy `peak_ewma` with heavy-tailed work (acceptance test T4): each of several equal telephones keeps its share after its slow
// responses, and a telephone that was slow gets requests again. The long form, `npm run soak -- balancing-heavy-tail`, applies the bounds
// of the acceptance test. plugboard/telephones/balancing/peak-ewma.test.ts has the same in simulated time.

import { afterAll, beforeAll, expect, it } from 'vitest'
import { connect, type TelephoneHandle } from '../../telephone/index.ts'
import { countOutcomes, sendAtRate } from '../support/http/open-loop.ts'
import { HOST, SERVICE, useStack } from '../support/programs/stack.ts'
import { runSeed, seededRandom } from '../support/seeded-random.ts'
import { printFigures, SOAK_MS } from '../support/soak.ts'

const TELEPHONES = 5
const PER_SECOND = 200
/** The times of 80 %, 18 % and 2 % of the responses, ms. */
const WORK = SOAK_MS > 0 ? [10, 100, 3000] : [5, 20, 200]
/** The time of each response while a telephone is slow, ms. */
const SLOW_MS = SOAK_MS > 0 ? 1000 : 150

const stack = useStack({ withoutTelephone: true, plugboardArgs: ['--no-access-log'] })
const seed = runSeed()
const random = seededRandom(seed)
const telephones: TelephoneHandle[] = []
const received: number[] = []
/** True while the first telephone is slow. */
let slow = false

function workMs(): number {
  const point = random()
  return WORK[point < 0.8 ? 0 : point < 0.98 ? 1 : 2]!
}

beforeAll(async () => {
  await stack.plugboard.call('PATCH', `/v1/services/${SERVICE}`, { policy: { balancing: 'peak_ewma' } })
  for (let index = 0; index < TELEPHONES; index += 1) {
    received.push(0)
    const target = async () => {
      received[index]! += 1
      await new Promise(resolve => setTimeout(resolve, index === 0 && slow ? SLOW_MS : workMs()))
      return new Response('hello')
    }
    const { plugboard, token } = stack
    const options = { plugboard: plugboard.url, token, name: `equal-${index}`, service: SERVICE, target }
    telephones.push(await connect({ ...options, tunnels: 1, onEvent: () => undefined }))
  }
})
afterAll(() => Promise.all(telephones.map(telephone => telephone.close(0))))

/** Sends requests for this time. Returns the share of each telephone, in relation to a fair share. */
async function fairShares(durationMs: number): Promise<number[]> {
  received.fill(0)
  const responses = await sendAtRate({ port: stack.port, host: HOST, perSecond: PER_SECOND, durationMs })
  expect(countOutcomes(responses)).toEqual({ 200: responses.length })
  return received.map(count => Math.round((1000 * count * TELEPHONES) / responses.length) / 1000)
}

it('each of five equal telephones gets its share', async () => {
  const shares = await fairShares(SOAK_MS > 0 ? SOAK_MS : 2000)
  printFigures({ seed, shares })
  // A response of 3 s keeps its telephone out of the choice for the whole short form, which can concern all but one of them.
  if (SOAK_MS === 0) {
    expect(Math.min(...shares), `SEED=${seed}`).toBeGreaterThan(0)
    return
  }
  expect(Math.min(...shares), `SEED=${seed}`).toBeGreaterThanOrEqual(0.7)
  expect(Math.max(...shares), `SEED=${seed}`).toBeLessThanOrEqual(1.3)
})

it('a telephone that was slow gets requests again', async () => {
  slow = true
  const [during] = await fairShares(SOAK_MS > 0 ? SOAK_MS / 2 : 1000)
  slow = false
  const [after] = await fairShares(SOAK_MS > 0 ? SOAK_MS / 4 : 3000)
  printFigures({ seed, during, after })
  expect(during, `SEED=${seed}`).toBeLessThan(SOAK_MS > 0 ? 0.4 : 1)
  expect(after, `SEED=${seed}`).toBeGreaterThanOrEqual(SOAK_MS > 0 ? 0.5 : 0.05)
})
