// The return of an ejected process, with a real Plugboard, real Telephones and backends on sockets (acceptance test T3). The long form,
// `npm run soak -- passive-ejection-recovery`, repeats the fault and the recovery for a minute in each case, and measures the time
// from the check that passes to the next request.

import { describe, expect, it } from 'vitest'
import { eventually, within } from '../support/deadline.ts'
import { CLIENTS, type FailingBackend, useEjectionService } from '../support/programs/ejection-service.ts'
import { useStack } from '../support/programs/stack.ts'
import { printFigures, SOAK_MS } from '../support/soak.ts'

const stack = useStack({ withoutTelephone: true, plugboardArgs: ['--no-access-log'] })
const service = useEjectionService(stack)

/** The time of an ejection cannot end it. */
const NEVER = { ejectMs: 3_600_000, maxEjectMs: 3_600_000 }
const CHECKED = { healthCheck: '/healthz', healthIntervalMs: 200 }
/** `peak_ewma` avoids a failing process by its cost, so it may receive too few requests to be ejected. */
const balancing = 'round_robin'
/** Trials before a process serves. */
const TRIALS = 3

/** Sends requests until the first process is ejected. A short ejection may already have ended, and trials have begun. */
const untilEjected = () =>
  eventually('the first process is ejected', async () => {
    await service().send(50)
    return ['ejected', 'half_open'].includes((await service().states())[0] ?? '') || undefined
  })
const untilServing = () =>
  eventually('the process serves', async () => (await service().states())[0] === 'serving' || undefined)
const untilDown = () =>
  eventually('the check has failed', async () => (await service().healthOf(0)) === 'down' || undefined)

/** Runs one round, or rounds for a minute in the long form. */
async function inRounds(round: () => Promise<void>): Promise<void> {
  const endMs = performance.now() + SOAK_MS
  do await round()
  while (performance.now() < endMs)
}

/** Resolves with the time of the next request that the backend receives. */
const nextRequestMs = (backend: FailingBackend): Promise<number> =>
  new Promise(resolve => {
    backend.respond = response => {
      backend.respond = undefined
      response.writeHead(200).end()
      resolve(performance.now())
    }
  })

describe('T3', () => {
  it('the health check of an ejected process runs at once, and its failure is announced', async () => {
    const checked = { ...CHECKED, healthIntervalMs: 3_600_000 }
    await service().serve([200, 200, 200], { balancing, outlier: NEVER }, checked)
    const [backend] = service().backends
    backend!.status = 503
    backend!.health = 503
    await untilEjected()
    await untilDown()
  })

  it('an ejected process with a health check serves when its check passes', async () => {
    await service().serve([200, 200, 200], { balancing, outlier: NEVER }, CHECKED)
    const backend = service().backends[0]!
    const waitsMs: number[] = []
    await inRounds(async () => {
      backend.status = 503
      await untilEjected()
      backend.health = 503
      await untilDown()
      let over = false
      const load = service().sendUntil(() => over)
      const arrival = nextRequestMs(backend)
      backend.status = 200
      backend.health = 200
      const arrivedMs = await within(arrival, 20_000, 'a request reaches the process')
      waitsMs.push(Math.round(arrivedMs - backend.healthChangedAtMs))
      over = true
      expect(await load).toMatchObject({ failed: 0 })
      await untilServing()
    })
    waitsMs.sort((left, right) => left - right)
    const [medianMs, longestMs] = [waitsMs[Math.floor(waitsMs.length / 2)], waitsMs.at(-1)]
    printFigures({ recoveries: waitsMs.length, medianMs, longestMs })
    // The bound of the acceptance test. The short form runs beside other tests, so it does not measure a time.
    if (SOAK_MS > 0) expect(longestMs).toBeLessThanOrEqual(1000)
  })

  it('without a health check a process receives one request at a time, and serves after three successes', async () => {
    const outlier = { ejectMs: 300, maxEjectMs: 300 }
    await service().serve([200, 200, 200], { balancing, outlier })
    const backend = service().backends[0]!
    let rounds = 0
    let requests = 0
    await inRounds(async () => {
      rounds += 1
      backend.status = 503
      await untilEjected()
      let open = 0
      let succeeded = 0
      /** The streams at the process when one arrives, before the third success. */
      const openAtArrival: number[] = []
      backend.respond = response => {
        open += 1
        if (succeeded < TRIALS) openAtArrival.push(open)
        setTimeout(() => {
          open -= 1
          succeeded += 1
          response.writeHead(200).end()
        }, 20)
      }
      await eventually('the process serves', async () => {
        const sent = await service().send(CLIENTS)
        expect(sent.failed).toBe(0)
        requests += sent.requests
        return (await service().states())[0] === 'serving' || undefined
      })
      expect(openAtArrival).toEqual([1, 1, 1])
      backend.respond = undefined
    })
    printFigures({ recoveries: rounds, requests, streamsBeforeProof: TRIALS, atOnce: 1 })
  })
})

it('plugboard status and plugboard telephone list show an ejected process and its failures', async () => {
  const { name } = service()
  await service().serve([503, 200], { balancing, outlier: NEVER })
  await untilEjected()
  expect((await stack.plugboard.cli('status')).output).toMatch(
    new RegExp(`${name} +${name}-0 +\\S+ +ejected .*consecutive_failures +503 503 503 503 503`),
  )
  expect((await stack.plugboard.cli('telephone', 'list')).output).toContain(`${name} (ejected by `)
  const line = `"${name}-0".*"last failures: 503, 503, 503, 503, 503","msg":"process ejected"`
  await stack.plugboard.child.waitForLine(new RegExp(line), { timeoutMs: 5000 })
})
