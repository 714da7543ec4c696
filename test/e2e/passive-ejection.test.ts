// Passive ejection with a real Plugboard, real Telephones and backends on sockets (acceptance test T2). A failing backend does not
// show in the responses of users. The short form sends some thousand requests; `npm run soak -- passive-ejection` sends requests
// for a minute in each case and applies the bound of one failed request in a thousand.

import { describe, expect, it } from 'vitest'
import { CLIENTS, type SentRequests, useEjectionService } from '../support/programs/ejection-service.ts'
import { useStack } from '../support/programs/stack.ts'
import { printFigures, SOAK_MS } from '../support/soak.ts'

const stack = useStack({ withoutTelephone: true, plugboardArgs: ['--no-access-log'] })
const service = useEjectionService(stack)

/** Sends `requests`, or requests for a minute in the long form. */
function send(requests: number): Promise<SentRequests> {
  if (SOAK_MS === 0) return service().send(requests)
  const endMs = performance.now() + SOAK_MS
  return service().sendUntil(() => performance.now() >= endMs)
}

/** Checks the bound of the long form: one failed request in a thousand. */
function expectFewFailures({ requests, failed }: SentRequests, shortForm: number): void {
  printFigures({ requests, failed })
  expect(failed).toBeLessThanOrEqual(SOAK_MS === 0 ? shortForm : requests / 1000)
}

const many = (status: number | undefined, count: number): (number | undefined)[] =>
  Array.from({ length: count }, () => status)

// The attempts that each client may have under way when the process is ejected, and a few trials.
const UNDER_WAY = CLIENTS + 3

// `peak_ewma` also avoids a failing process by its cost, so it may receive too few requests to be ejected.
describe.each(['round_robin', 'peak_ewma'] as const)('T2 with %s', balancing => {
  const ejects = balancing === 'round_robin'

  it('a telephone of 5 that responds with 500 at once is ejected after 20 errors', async () => {
    await service().serve([500, ...many(200, 4)], { balancing })
    expectFewFailures(await send(600), 20 + UNDER_WAY)
    if (ejects) expect(Object.keys(await service().states())).toEqual(['0'])
  })

  it('a telephone of 10 that responds with 503 is ejected after 5 failures', async () => {
    await service().serve([503, ...many(200, 9)], { balancing })
    expectFewFailures(await send(600), 5 + UNDER_WAY)
    if (ejects) expect(Object.keys(await service().states())).toEqual(['0'])
  })

  it.each([3, 4, 6])('with %i of 10 backends not running, the other ones serve all requests', async dead => {
    await service().serve([...many(undefined, dead), ...many(200, 10 - dead)], { balancing })
    // Each dead backend fails 5 attempts and those under way. A request fails with three of them.
    expectFewFailures(await send(600), Math.ceil((dead * (5 + CLIENTS)) / 3))
    if (!ejects) return
    expect(Object.keys(await service().states())).toEqual(
      many(undefined, dead).map((_, index) => String(index)),
    )
    expect(await service().send(100)).toMatchObject({ failed: 0 })
  })
})

describe('T2', () => {
  it('no telephone is ejected when all fail alike, and requests are sent to all of them', async () => {
    await service().serve(many(503, 3))
    const { requests, failed } = await send(600)
    printFigures({ requests, failed })
    expect(failed).toBe(requests)
    expect(await service().states()).toEqual({})
    for (const { received } of service().backends) expect(received).toBeGreaterThan(0)
  })

  it('the only telephone is never ejected', async () => {
    await service().serve([503])
    await send(300)
    expect(await service().states()).toEqual({})
    service().backends[0]!.status = 200
    expect(await service().send(100)).toMatchObject({ failed: 0 })
  })
})
