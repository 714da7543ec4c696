// A client that does not read. A stream takes the place of its socket, because the kernel's buffers differ from system to
// system.

import { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { eventually } from '../../../test/support/deadline.ts'
import { ProxyHarness } from '../../../test/support/harness/proxy-harness.ts'
import { useLeakCheck } from '../../../test/support/leak-check.ts'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { UNREAD_MS } from './unread-response.ts'

useLeakCheck()

const INTERVAL_MS = 10

let clock: ManualClock
let harness: ProxyHarness

beforeEach(async () => {
  clock = new ManualClock()
  // Longer than any of the times below, or the connection would be closed because it is idle.
  harness = await ProxyHarness.start({ clock, limits: { keepAliveTimeoutMs: 10 * UNREAD_MS } })
})

afterEach(() => harness.close())

/** A connection whose client sends requests, and reads bytes only after `takeBytes`. */
class Client extends Socket {
  override readonly remoteAddress = '192.0.2.1'
  readonly #unread: (() => void)[] = []
  #reads = false

  override _read(): void {
    // Requests are pushed.
  }

  override _write(_chunk: unknown, _encoding: string, done: () => void): void {
    if (this.#reads) done()
    else this.#unread.push(done)
  }

  override _writev(_chunks: unknown, done: () => void): void {
    this._write(undefined, '', done)
  }

  takeBytes(): void {
    this.#reads = true
    for (const done of this.#unread.splice(0)) done()
  }
}

async function refusedRequests(count: number): Promise<Client> {
  const client = new Client()
  harness.proxy.accept(client as unknown as TLSSocket, client)
  client.push('GET / HTTP/1.1\r\nHost: unknown\r\n\r\n'.repeat(count))
  await eventually('the responses are made', () => (harness.accessLog.length === count ? true : undefined))
  return client
}

it.each([1, 3])('cuts the connection when %i responses stay unread for 5 minutes', async count => {
  const client = await refusedRequests(count)
  clock.advance(UNREAD_MS - INTERVAL_MS)
  expect(client.destroyed).toBe(false)
  clock.advance(2 * INTERVAL_MS)
  expect(client.destroyed).toBe(true)
})

it('leaves a connection open whose responses are read in time', async () => {
  const client = await refusedRequests(2)
  clock.advance(UNREAD_MS - INTERVAL_MS)
  client.takeBytes()
  await eventually('no request is in flight', () => (harness.proxy.inFlightCount === 0 ? true : undefined))
  clock.advance(UNREAD_MS)
  expect(client.destroyed).toBe(false)
})
