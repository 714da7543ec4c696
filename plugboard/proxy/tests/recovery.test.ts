// Requests that arrive just after this process was suspended, before its links to other replicas are restored.

import { afterEach, beforeEach, expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import { ProxyHarness } from '../../../test/support/harness/proxy-harness.ts'
import { field, RawConnection, rawExchange } from '../../../test/support/http/raw-connection.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'

useLeakCheck()

const HEAD = 'HTTP/1.1\r\nHost: test\r\n'

class FakeRecovery {
  unverified = true
  underWay = true
  waiting: (() => void)[] = []

  onStep(task: () => void): void {
    this.waiting.push(task)
  }

  step(): void {
    for (const task of this.waiting.splice(0)) task()
  }

  async untilWaiting(): Promise<void> {
    await eventually('a request waits', () => (this.waiting.length > 0 ? true : undefined))
  }
}

let recovery: FakeRecovery
let harness: ProxyHarness

beforeEach(async () => {
  recovery = new FakeRecovery()
  harness = await ProxyHarness.start({ recovery })
})

afterEach(() => harness.close())

it('sends no request to a line that may have failed unnoticed', async () => {
  const telephone = await harness.telephone()
  telephone.handler = call => call.respond(200)
  const response = rawExchange(harness.port, `GET / ${HEAD}\r\n`, 'GET')
  await recovery.untilWaiting()
  expect(telephone.calls).toEqual([])
  recovery.unverified = false
  recovery.step()
  expect((await response).status).toBe(200)
})

it('waits for a line, keeps the received part of the body, and reads no more of it', async () => {
  const body = 'x'.repeat(1_000_000)
  const response = rawExchange(
    harness.port,
    `POST / ${HEAD}Content-Length: ${body.length}\r\n\r\n${body}`,
    'POST',
  )
  await recovery.untilWaiting()
  recovery.unverified = false
  // The request still waits after a step without a line.
  recovery.step()
  await recovery.untilWaiting()
  const telephone = await harness.telephone()
  telephone.handler = call => void call.ended.then(() => call.respond(200))
  recovery.step()
  expect((await response).status).toBe(200)
  expect((await telephone.calls[0]?.ended)?.body.toString()).toBe(body)
})

it('reports a missing line when the wait is over', async () => {
  recovery.unverified = false
  const response = rawExchange(harness.port, `GET / ${HEAD}\r\n`, 'GET')
  await recovery.untilWaiting()
  recovery.underWay = false
  recovery.step()
  expect(field((await response).headers, 'plugboard-error')).toBe('no_telephone')
  // After that, requests are served at once.
  const later = await rawExchange(harness.port, `GET / ${HEAD}\r\n`, 'GET')
  expect([later.status, recovery.waiting]).toEqual([503, []])
})

it('drops a request whose client disconnects in the meantime', async () => {
  const client = await RawConnection.open(harness.port)
  await client.send(`GET / ${HEAD}\r\n`)
  await recovery.untilWaiting()
  client.destroy()
  await eventually('the request is over', () => harness.accessLog[0])
  const telephone = await harness.telephone()
  recovery.unverified = false
  recovery.step()
  expect([telephone.calls, harness.proxy.inFlightCount]).toEqual([[], 0])
})

it('lets an upgrade wait as well', async () => {
  const client = await RawConnection.open(harness.port)
  await client.send(`GET / ${HEAD}Connection: Upgrade\r\nUpgrade: x\r\n\r\n`)
  await recovery.untilWaiting()
  recovery.unverified = false
  const telephone = await harness.telephone()
  telephone.handler = call => call.respond(200, 'no such thing')
  recovery.step()
  expect((await eventually('the call', () => telephone.calls[0])).opening.kind).toBe('upgrade')
  client.destroy()
})
