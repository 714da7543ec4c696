// Runs HAProxy with the file of compose.cluster.yaml before three replicas, when HAProxy is installed. While a replica
// stops and starts again, all requests, streams and tunnels through HAProxy continue.

import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../test/support/deadline.ts'
import { openRequest, send } from '../test/support/http/http-client.ts'
import { findProgram } from '../test/support/process/find-program.ts'
import { freePort } from '../test/support/process/free-port.ts'
import { ClusterStack } from '../test/support/programs/cluster.ts'
import { HOST, SERVICE } from '../test/support/programs/stack.ts'
import { TelephoneProcess } from '../test/support/programs/telephone-process.ts'

const CONFIG = join(import.meta.dirname, 'haproxy.cfg')
/** A stream of one line every tenth of a second, for six seconds. */
const LONG = '/ndjson?count=60&intervalMs=100'
const program = findProgram('haproxy')

describe.skipIf(program === undefined)('haproxy.cfg, with HAProxy installed', () => {
  const cluster = new ClusterStack({
    replicaArgs: ['--trusted-proxies', '127.0.0.1', '--stop-delay', '4s'],
  })
  let port: number

  beforeAll(async () => {
    await cluster.start(3)
    await cluster.untilLinked()
    port = await freePort()
    const config = join(cluster.folder, 'haproxy.cfg')
    await writeFile(config, here(await readFile(CONFIG, 'utf8')))
    const child = cluster.processes.start({ name: 'haproxy', command: program!, args: ['-db', '-f', config] })
    // After a signal, HAProxy exits with the code for that signal.
    child.expectedExitCodes = [0, 143, -1]
    // This Telephone uses only the load balancer, like a Telephone outside of its network.
    TelephoneProcess.launch({
      processes: cluster.processes,
      plugboard: cluster.replicas[0]!,
      target: cluster.backend.port,
      token: cluster.token,
      service: SERVICE,
      url: `http://127.0.0.1:${port}`,
      args: ['--no-follow-replicas'],
    })
    await cluster.untilTunnels(2)
    await eventually('the load balancer reaches the app', async () =>
      (await send({ port, host: HOST, path: '/hello' })).status === 200 ? true : undefined,
    )
  })
  afterAll(async () => {
    // In parallel, because each stop takes the time that the load balancer needs to notice.
    await Promise.all(cluster.replicas.map(({ child }) => child.stop()))
    await cluster.stop()
  })

  /** Replaces the addresses of the containers by those of this test. */
  const here = (text: string) =>
    cluster.places.reduce(
      (config, place, index) =>
        config.replace(
          ` plugboard-${index + 1}:4000 check port 4001`,
          ` 127.0.0.1:${place.port} check port ${place.adminPort}`,
        ),
      text.replace('bind :4000', `bind 127.0.0.1:${port}`),
    )

  it('is a valid configuration', async () => {
    await promisify(execFile)(program!, ['-c', '-f', CONFIG])
  })

  it('sets the address of the client, and removes forged header fields', async () => {
    const headers = {
      'x-forwarded-for': '192.0.2.1',
      'x-forwarded-host': 'evil.example',
      forwarded: 'for=192.0.2.1',
    }
    const response = await send({ port, host: HOST, path: '/request', headers })
    expect(response.text).toContain('127.0.0.1')
    expect(response.text).not.toMatch(/192\.0\.2\.1|evil\.example/)
  })

  it('loses no request and no stream when a replica drains, stops and starts again', async () => {
    const posts = new PostLoop(port)
    await posts.successes(50)
    // The load balancer spreads the streams over all replicas. They are longer than the time that it needs to notice the stop.
    const streams = Array.from({ length: 6 }, () => openRequest({ port, host: HOST, path: LONG }).response)
    const heads = await Promise.all(streams)
    await cluster.replicas[0]!.child.stop()
    const bodies = await Promise.all(heads.map(text))
    expect(bodies.map(body => body.trim().split('\n').length)).toEqual(Array(6).fill(60))
    await posts.successes(50)
    await cluster.startReplica(0)
    await cluster.untilLinked()
    await posts.successes(50)
    expect(await posts.stop()).toEqual(new Map([[200, expect.any(Number)]]))
  })
})

/** Sends POSTs one after the other from four clients that keep their connections. A proxy must not repeat them. */
class PostLoop {
  readonly #outcomes = new Map<number | string, number>()
  readonly #agent = new Agent({ keepAlive: true })
  readonly #clients: Promise<void>[]
  #running = true

  constructor(port: number) {
    this.#clients = Array.from({ length: 4 }, async () => {
      while (this.#running) {
        const outcome = await this.#post(port)
        this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1)
      }
    })
  }

  async successes(count: number): Promise<void> {
    const wanted = (this.#outcomes.get(200) ?? 0) + count
    await eventually(`${count} more responses`, () => (this.#outcomes.get(200) ?? 0) >= wanted || undefined)
  }

  async stop(): Promise<Map<number | string, number>> {
    this.#running = false
    await Promise.all(this.#clients)
    this.#agent.destroy()
    return this.#outcomes
  }

  #post(port: number): Promise<number | string> {
    return new Promise(resolve => {
      const options = { host: '127.0.0.1', port, method: 'POST', path: '/echo', headers: { host: HOST } }
      const outgoing = request({ ...options, agent: this.#agent }, incoming => {
        text(incoming).then(
          body => resolve(body === 'x' ? (incoming.statusCode ?? 0) : `body: ${body}`),
          error => resolve(String(error)),
        )
      })
      outgoing.once('error', error => resolve(String(error)))
      outgoing.end('x')
    })
  }
}
