// The set-up that test files of the proxy share: one ProxyHarness with one telephone for each test, and client connections
// that are closed after the test. Call the functions at the top level of a file, after `useLeakCheck`.

import { afterEach, beforeEach } from 'vitest'
import { Http2Client } from '../http/http2-client.ts'
import { RawConnection } from '../http/raw-connection.ts'
import type { FakeTelephone } from './fake-telephone.ts'
import { type HarnessOptions, ProxyHarness } from './proxy-harness.ts'

/** Connects the telephones of a test to a new proxy. Returns the first one. */
export type AttachTelephone = (harness: ProxyHarness) => Promise<CutTelephone>

export type CutTelephone = FakeTelephone & { cut(): void }

/** The clients of one test. */
export interface ProxyClients {
  /** Opens a connection. `from`: its local address. */
  connect(from?: string): Promise<RawConnection>
  /** Opens a connection and sends the bytes. */
  send(bytes: string | Buffer): Promise<RawConnection>
  /** Opens an HTTP/2 connection without TLS. */
  http2(): Http2Client
}

export interface ProxyUnderTest extends ProxyClients {
  readonly harness: ProxyHarness
  readonly telephone: CutTelephone
  /** Replaces the proxy and its telephone during a test. `attach`: default as in `useProxy`. */
  restart(options: HarnessOptions, attach?: AttachTelephone): Promise<void>
}

/** Closes the clients of each test before the hooks that were registered earlier. `port`: the port of the current proxy. */
export function useProxyClients(port: () => number): ProxyClients {
  const open: (() => void)[] = []
  afterEach(() => {
    for (const close of open.splice(0)) close()
  })
  const connect = async (from?: string): Promise<RawConnection> => {
    const connection = await RawConnection.open(port(), '127.0.0.1', from)
    open.push(() => connection.destroy())
    return connection
  }
  return {
    connect,
    send: async bytes => {
      const connection = await connect()
      await connection.send(bytes)
      return connection
    },
    http2: () => {
      const client = new Http2Client(`http://127.0.0.1:${port()}`)
      open.push(() => client.close())
      return client
    },
  }
}

/**
 * Starts a proxy before each test. `options`: a function when each test needs its own parts, such as a clock. `attach`:
 * default: one telephone with a line for the service `web`.
 */
export function useProxy(
  options: HarnessOptions | (() => HarnessOptions) = {},
  attach: AttachTelephone = harness => harness.telephone(),
): ProxyUnderTest {
  let harness: ProxyHarness
  let telephone: CutTelephone
  const start = async (chosen: HarnessOptions, connect: AttachTelephone): Promise<void> => {
    harness = await ProxyHarness.start(chosen)
    telephone = await connect(harness)
  }
  beforeEach(() => start(typeof options === 'function' ? options() : options, attach))
  afterEach(() => harness.close())
  return {
    ...useProxyClients(() => harness.port),
    get harness() {
      return harness
    },
    get telephone() {
      return telephone
    },
    restart: async (chosen, connect = attach) => {
      await harness.close()
      await start(chosen, connect)
    },
  }
}
