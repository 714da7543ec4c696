// Nine broken backends behind one Telephone, as real processes: the log of the Telephone, the access line of Plugboard
// and the error page each name the true cause. The page names no address and none of the texts of the backend.

import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { escapeHtml } from '@vera-stack/shared/http/escape-html.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BACKEND_CAUSES, type BackendCauseCode } from '../../shared/backend-causes.ts'
import { TEST_CERTIFICATE, TEST_KEY } from '../../telephone/testing/test-certificate.ts'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import type { Child } from '../support/process/child.ts'
import { cleanEnvironment } from '../support/programs/plugboard-process.ts'
import { useStack } from '../support/programs/stack.ts'

const MAIN = join(import.meta.dirname, '../../telephone/main.ts')
const stack = useStack({ withoutTelephone: true })

/** Starts a server that responds to the first bytes of each connection. */
const scripted = (respond: (socket: Socket) => void): Server =>
  createServer(socket => {
    socket.on('error', () => undefined)
    socket.once('data', () => respond(socket))
  })

interface Broken {
  /** Absent: a port that refuses connections. */
  readonly server?: Server
  readonly scheme?: 'https'
  readonly host?: string
  /** A pattern of the only right causes. */
  readonly cause: RegExp
  readonly status: number
  readonly code: string
  readonly healthCheck?: string
}

const BROKEN: Readonly<Record<string, Broken>> = {
  refused: { cause: /^connection_refused$/, status: 502, code: 'backend_unreachable' },
  dns: {
    host: 'nosuch.invalid',
    // A machine without DNS reports the second cause.
    cause: /^(name_not_found|dns_unavailable)$/,
    status: 502,
    code: 'backend_unreachable',
  },
  selfsigned: {
    server: createTlsServer({ key: TEST_KEY, cert: TEST_CERTIFICATE }),
    scheme: 'https',
    cause: /^tls_self_signed$/,
    status: 502,
    code: 'backend_unreachable',
  },
  plain: {
    server: createHttpServer(),
    scheme: 'https',
    cause: /^tls_plain_port$/,
    status: 502,
    code: 'backend_unreachable',
  },
  reset: {
    server: scripted(socket => socket.resetAndDestroy()),
    cause: /^connection_reset$/,
    status: 502,
    code: 'backend_closed',
  },
  cut: {
    server: scripted(socket => socket.end('HTTP/1.1 200 OK\r\nContent-Le')),
    cause: /^response_cut$/,
    status: 502,
    code: 'backend_closed',
  },
  unhealthy: {
    server: createHttpServer((_req, res) => res.writeHead(500).end()),
    healthCheck: '/healthz',
    cause: /^health_check_failed$/,
    status: 503,
    code: 'service_unhealthy',
  },
  hanging: {
    server: scripted(() => undefined),
    cause: /^response_timeout$/,
    status: 504,
    code: 'backend_timeout',
  },
  closed: {
    server: scripted(socket => socket.end()),
    cause: /^closed_without_response$/,
    status: 502,
    code: 'backend_closed',
  },
}

let telephone: Child

beforeAll(async () => {
  const rows: object[] = []
  for (const [service, { server, scheme = 'http', host = '127.0.0.1', healthCheck }] of Object.entries(
    BROKEN,
  )) {
    const port = await portOf(server)
    const policy = service === 'hanging' ? { responseHeadTimeoutMs: 1000 } : {}
    await stack.plugboard.addService(service, policy)
    await stack.plugboard.addRoute(`${service}.localhost/base`, service)
    rows.push({ service, target: `${scheme}://${host}:${port}`, healthCheck, healthInterval: '1s' })
  }
  // The file is YAML, of which JSON is a part.
  const file = join(stack.folder, 'telephone.yaml')
  await writeFile(file, JSON.stringify({ plugboard: [stack.plugboard.url], services: rows }))
  telephone = stack.processes.node('telephone', [MAIN, 'start', '--config', file, '--log-format', 'json'], {
    env: cleanEnvironment({ TELEPHONE_TOKEN: stack.token }),
  })
  await logLine(telephone, { msg: 'backend down', service: 'unhealthy' })
  await eventually('Plugboard has the health of the service', async () => {
    const { code } = problem(await ask('unhealthy'))
    return code === 'service_unhealthy' || undefined
  })
})

afterAll(async () => {
  for (const { server } of Object.values(BROKEN)) {
    if (server?.listening !== true) continue
    server.close()
    if ('closeAllConnections' in server) (server as { closeAllConnections(): void }).closeAllConnections()
    await once(server, 'close')
  }
})

/** Resolves with a port on which the server listens, or which refuses connections. */
async function portOf(server?: Server): Promise<number> {
  const listener = server ?? createServer()
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  if (server === undefined) {
    listener.close()
    await once(listener, 'close')
  }
  return port
}

const ask = (service: string, accept = 'application/json') =>
  send({ port: stack.port, host: `${service}.localhost`, path: '/base/x', headers: { accept } })

function problem({ text }: { text: string }): { code?: string; detail?: string; requestId?: string } {
  return text.startsWith('{') ? JSON.parse(text) : {}
}

/** Returns the first line with these fields, in any order. */
async function logLine(child: Child, fields: Record<string, string>): Promise<Record<string, unknown>> {
  const parts = Object.entries(fields).map(([name, value]) => `(?=.*"${name}":"${value}")`)
  const [line] = await child.waitForLine(new RegExp(`^${parts.join('')}.*$`))
  return JSON.parse(line)
}

const accessLine = (requestId = '') => logLine(stack.plugboard.child, { msg: 'request', requestId })

describe('a backend that is', () => {
  it.each(Object.keys(BROKEN))(
    '%s is reported with its cause in both logs and on the page',
    async service => {
      const { cause, status, code } = BROKEN[service] as Broken
      const response = await ask(service)
      const { detail = '', requestId = '', ...body } = problem(response)
      expect([response.status, body.code, response.headers['plugboard-error']]).toEqual([status, code, code])

      const line = await accessLine(requestId)
      expect(line).toMatchObject({ level: 'warn', status, code, service, mount: `${service}.localhost/base` })
      expect(line.cause).toMatch(cause)
      expect(line.detail).toMatch(/./)
      expect(line.durationMs).toBeGreaterThan(0)

      const known = BACKEND_CAUSES[line.cause as BackendCauseCode]
      const own = service === 'unhealthy' ? /health check fails/ : undefined
      if (own === undefined) expect(detail).toBe(known.meaning)
      else expect(detail).toMatch(own)
      const page = await ask(service, 'text/html')
      expect(page.text).toContain(`<p>${escapeHtml(detail)}</p>`)
      expect(page.text).not.toMatch(/127\.0\.0\.1|nosuch|healthz/)

      const message = service === 'unhealthy' ? 'backend down' : 'requests to the backend fail'
      const logged = await logLine(telephone, { msg: message, service })
      expect(logged).toMatchObject({ level: 'warn', cause: line.cause, remedy: known.remedy })
    },
  )

  it('unhealthy is reported with the time and the reason, in the log and in the API', async () => {
    const line = await accessLine(problem(await ask('unhealthy')).requestId)
    expect(line.detail).toMatch(
      /^health check has failed since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ: \/healthz returned 500$/,
    )
    const services = (await stack.plugboard.telephones()).flatMap(
      row => row.services as Record<string, unknown>[],
    )
    expect(services.find(row => row.service === 'unhealthy')).toMatchObject({
      health: 'down',
      outage: { cause: 'health_check_failed', detail: '/healthz returned 500', since: expect.any(String) },
    })
    expect(services.find(row => row.service === 'refused')).toMatchObject({ health: 'up', outage: null })
  })

  it('refused is logged once, and not once for each request', async () => {
    for (let count = 0; count < 5; count += 1) await ask('refused')
    const lines = telephone.lines.filter(line => line.includes('connection_refused'))
    expect(lines).toHaveLength(1)
  })
})
