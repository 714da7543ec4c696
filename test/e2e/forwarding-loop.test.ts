// Services that forward to a Plugboard again: two Plugboards that expose each other, a cluster that exposes itself, and a
// chain of two Plugboards whose client closes its connection.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend } from '../support/backend/backend-process.ts'
import { eventually } from '../support/deadline.ts'
import { type HttpResponse, openRequest, send } from '../support/http/http-client.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres/postgres.ts'
import { removeFolder, temporaryFolder } from '../support/process/folder.ts'
import { Processes } from '../support/process/processes.ts'
import { useCluster } from '../support/programs/cluster.ts'
import { PlugboardProcess } from '../support/programs/plugboard-process.ts'
import { HOST } from '../support/programs/stack.ts'
import { TelephoneProcess } from '../support/programs/telephone-process.ts'

/** Returns the access lines of requests for the path. */
function accessLines(plugboard: PlugboardProcess, path: string): string[] {
  return plugboard.child.output.split('\n').filter(line => line.includes(`"path":"${path}"`))
}

function expectLoop(response: HttpResponse): void {
  expect([response.status, JSON.parse(response.text).code]).toEqual([508, 'loop_detected'])
}

describe('two Plugboards', () => {
  const processes = new Processes()
  const databases: TestDatabase[] = []
  const folders: string[] = []
  let one: PlugboardProcess
  let two: PlugboardProcess
  let backend: Backend

  beforeAll(async () => {
    ;[one, two] = await Promise.all([start(), start()])
    backend = await Backend.start(processes)
    await expose(one, 'loop.localhost', two.port)
    await expose(two, 'loop.localhost', one.port)
    await expose(one, 'chain.localhost', two.port)
    await expose(two, 'chain.localhost', backend.port)
  })
  afterAll(async () => {
    await processes.stopAll()
    for (const database of databases) await database.drop()
    for (const folder of folders) expect(await removeFolder(folder)).toEqual([])
  })

  async function start(): Promise<PlugboardProcess> {
    const database = await createTestDatabase()
    databases.push(database)
    const folder = await temporaryFolder()
    folders.push(folder)
    return PlugboardProcess.start({ processes, folder, databaseUrl: database.url })
  }

  async function expose(plugboard: PlugboardProcess, mount: string, target: number): Promise<void> {
    const { token } = await plugboard.issueToken({ services: ['*'], mounts: ['*'] })
    await TelephoneProcess.start({ processes, plugboard, target, token, mount })
  }

  it('that expose each other refuse the second round of a request with 508', async () => {
    const asked = Array.from({ length: 20 }, (_, index) =>
      send({ port: one.port, host: 'loop.localhost', path: `/round-${index}` }),
    )
    for (const response of await Promise.all(asked)) expectLoop(response)
    for (let index = 0; index < 20; index += 1) {
      await eventually('each hop has written its access line', () => {
        const counts = [one, two].map(each => accessLines(each, `/round-${index}`).length)
        // The first Plugboard forwards the request, receives it again, and rejects it.
        return counts[0] === 2 && counts[1] === 1 ? true : undefined
      })
    }
  })

  it('in a chain both end the request when the client closes its connection', async () => {
    const { request } = openRequest({ port: one.port, host: 'chain.localhost', path: '/silent' })
    const { id, rawHeaders } = await backend.next('request', ({ url }) => url === '/silent')
    const via = rawHeaders.filter((_, index) => rawHeaders[index - 1]?.toLowerCase() === 'via')
    expect(via).toHaveLength(2)
    expect(new Set(via).size).toBe(2)
    request.destroy()
    expect(await backend.next('answer', response => response.id === id)).toMatchObject({ sent: false })
    for (const plugboard of [one, two]) {
      await eventually('the request is over', () =>
        accessLines(plugboard, '/silent').some(line => line.includes('"status":499')) ? true : undefined,
      )
    }
    expect((await send({ port: one.port, host: 'chain.localhost', path: '/hello' })).status).toBe(200)
    expect(backend.all('request').map(({ url }) => url)).toEqual(['/silent', '/hello'])
  })
})

describe('a cluster', () => {
  const cluster = useCluster(2)
  const at = (index: number, path: string, host = HOST) => ({ port: cluster.places[index]!.port, host, path })

  it('forwards between its replicas as one hop', async () => {
    await cluster.untilLinked()
    await cluster.startTelephone(0, { args: ['--tunnels', '1', '--no-follow-replicas'] })
    await eventually('the line is known to both replicas', async () => {
      const responses = await Promise.all([0, 1].map(index => send(at(index, '/hello'))))
      return responses.every(({ status }) => status === 200) ? true : undefined
    })
    for (const index of [0, 1]) {
      const { rawHeaders } = JSON.parse((await send(at(index, '/request'))).text) as { rawHeaders: string[] }
      const via = rawHeaders.filter((_, place) => rawHeaders[place - 1] === 'Via')
      expect(via).toEqual([expect.stringMatching(/^1\.1 plugboard-[0-9a-f]{16}$/)])
    }
  })

  it('recognises a request that comes back to another replica', async () => {
    await cluster.startTelephone(0, {
      service: 'loop',
      mount: 'loop.localhost',
      target: cluster.places[1]!.port,
    })
    await eventually('the route is known', async () => {
      const { status } = await send(at(0, '/', 'loop.localhost'))
      return status !== 404 && status !== 503 ? true : undefined
    })
    expectLoop(await send(at(0, '/through-both', 'loop.localhost')))
    await eventually('each replica has seen the request once', () => {
      const counts = cluster.replicas.map(replica => accessLines(replica, '/through-both').length)
      return counts.every(count => count === 1) ? true : undefined
    })
  })
})
