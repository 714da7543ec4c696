// A canary release with real processes (acceptance test T8): a Telephone with another version is the whole deployment. A client
// stays on its side while the percentage grows, its guard stops it when it fails, and no request fails when it ends.
// `npm run soak -- canary` sends more clients, checks the shares within one per cent, and the time until the guard stops it.

import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { HOST, SERVICE, useStack } from '../support/programs/stack.ts'
import type { TelephoneProcess } from '../support/programs/telephone-process.ts'
import { printFigures, SOAK_MS } from '../support/soak.ts'

const CLIENTS = SOAK_MS > 0 ? 40_000 : 200
/** Five times the deviation of as many coins, or the bound of the acceptance test. */
const SHARE_BOUND = SOAK_MS > 0 ? 0.01 : 0.18
const AT_ONCE = 16

// The log of 40,000 requests would push the line of the guard out.
const stack = useStack({ withoutTelephone: true, plugboardArgs: ['--no-access-log'] })
const servers: Server[] = []
let canary: TelephoneProcess
/** The status of the responses of the canary. */
let canaryStatus = 200

async function startVersion(version: string): Promise<TelephoneProcess> {
  const server = createServer((_request, response) =>
    response.writeHead(version === '2.0' ? canaryStatus : 200).end(version),
  ).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  const target = (server.address() as AddressInfo).port
  return await stack.startTelephone({ target, args: ['--service-version', version] })
}

beforeAll(async () => {
  await startVersion('1.0')
  canary = await startVersion('2.0')
})
afterAll(() => {
  for (const server of servers) server.close()
})

/** Sets the policy as an operator does: with a file. */
async function setCanary(percent: number, more: object = {}): Promise<void> {
  const subset = {
    name: 'canary',
    select: { version: '2.*' },
    percent,
    match: { header: { 'X-Canary': 'yes' } },
    ...more,
  }
  const policy = { subsets: [subset], splitBy: { cookie: 'session' } }
  await writeFile(join(stack.folder, 'policy.json'), JSON.stringify(policy))
  const result = await stack.plugboard.cli('service', 'set', SERVICE, '--policy-file', 'policy.json')
  expect(result).toMatchObject({ code: 0 })
  await stack.plugboard.untilApplied()
}

async function versionFor(headers: Record<string, string>): Promise<string> {
  const { status, text } = await send({ port: stack.port, host: HOST, headers })
  expect([status, text]).toEqual([200, expect.stringMatching(/^[12]\.0$/)])
  return text
}

/** Returns the version for each client. */
async function versions(): Promise<string[]> {
  const found: string[] = []
  let next = 0
  const worker = async () => {
    while (next < CLIENTS) {
      const client = next
      next += 1
      found[client] = await versionFor({ cookie: `session=client-${client}` })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return found
}

const share = (found: readonly string[]) => found.filter(version => version === '2.0').length / CLIENTS

it('sends the percentage of the clients to the canary, and moves no client back', async () => {
  await setCanary(5)
  const few = await versions()
  expect(Math.abs(share(few) - 0.05)).toBeLessThan(SHARE_BOUND)
  await setCanary(50)
  const half = await versions()
  expect(Math.abs(share(half) - 0.5)).toBeLessThan(SHARE_BOUND)
  const back = few.flatMap((version, client) => (version === '2.0' && half[client] === '1.0' ? [client] : []))
  expect(back).toEqual([])
  printFigures({ clients: CLIENTS, at5: share(few), at50: share(half), movedBack: back.length })
  await setCanary(0)
  const first = half.indexOf('2.0')
  expect(await versionFor({ cookie: `session=client-${first}` })).toBe('1.0')
  expect(await versionFor({ 'x-canary': 'yes' })).toBe('2.0')
})

interface GuardedLoad {
  readonly percent: number
  readonly perSecond: number
  /** The canary fails from this time on, ms since the start. */
  readonly failingFromMs: number
  readonly isOver: (elapsedMs: number, sentAfterStop: number) => boolean
}

it('stops a canary that fails by its guard, and fails no further request', async () => {
  const { percent, perSecond, failingFromMs, isOver }: GuardedLoad =
    SOAK_MS > 0
      ? // The canary gets 10 requests per second, so it needs 5 s for the requests that the guard needs.
        { percent: 5, perSecond: 200, failingFromMs: SOAK_MS / 3, isOver: elapsedMs => elapsedMs >= SOAK_MS }
      : { percent: 50, perSecond: 100, failingFromMs: 0, isOver: (_, sentAfterStop) => sentAfterStop >= 100 }
  await setCanary(percent, { guard: { maxErrorPercent: 5, minRequests: 50 } })
  let stoppedMs: number | undefined
  const { child } = stack.plugboard
  const stopped = child
    .waitForLine(/subset stopped by its guard/, { timeoutMs: SOAK_MS + 30_000, from: child.lines.length })
    .then(() => {
      stoppedMs = performance.now() - startedAt
    })
  const startedAt = performance.now()
  const responses: Promise<{ status: number; sentMs: number }>[] = []
  let after = 0
  for (let sentMs = 0; !isOver(sentMs, after); sentMs = performance.now() - startedAt) {
    canaryStatus = sentMs >= failingFromMs ? 500 : 200
    if (stoppedMs !== undefined) after += 1
    // Each request is of another client.
    const headers = { cookie: `session=guarded-${responses.length}` }
    const response = send({ port: stack.port, host: HOST, headers })
    responses.push(response.then(({ status }) => ({ status, sentMs })))
    const dueMs = (responses.length * 1000) / perSecond
    await Promise.race([
      new Promise(resolve => setTimeout(resolve, Math.max(0, startedAt + dueMs - performance.now()))),
      // Rejects when the guard does not stop the canary.
      stopped.then(() => new Promise(() => undefined)),
    ])
  }
  const results = await Promise.all(responses)
  await stopped
  canaryStatus = 200
  const failed = results.filter(({ status }) => status !== 200)
  const actedMs = Math.round(stoppedMs! - failingFromMs)
  printFigures({ requests: results.length, failed: failed.length, actedMs, afterTheStop: after })
  expect(failed.length).toBeGreaterThan(0)
  expect(after).toBeGreaterThan(0)
  expect(failed.every(({ status, sentMs }) => status === 500 && sentMs <= stoppedMs!)).toBe(true)
  // The bound of the acceptance test. The short form runs beside other tests, so it does not measure a time.
  if (SOAK_MS > 0) expect(actedMs).toBeLessThanOrEqual(10_000)
})

it('fails no request when the last Telephone of the canary stops', async () => {
  await setCanary(100)
  let stopped = false
  const client = async () => {
    while (!stopped) await versionFor({ cookie: 'session=a' })
    expect(await versionFor({ cookie: 'session=a' })).toBe('1.0')
    expect(await versionFor({ 'x-canary': 'yes' })).toBe('1.0')
  }
  expect(await versionFor({ cookie: 'session=a' })).toBe('2.0')
  const clients = Promise.all(Array.from({ length: 4 }, client))
  await canary.child.stop()
  await eventually('the canary is removed', async () =>
    (await stack.plugboard.telephones()).some(({ services }) => JSON.stringify(services).includes('2.0'))
      ? undefined
      : true,
  )
  stopped = true
  await clients
})
