// Asks a process for its status over the real abstract socket. Each test has a scope of its own, because other Plugboards may
// run on the machine.

import { randomUUID } from 'node:crypto'
import { createConnection, createServer } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { useLeakCheck } from '../../test/support/leak-check.ts'
import { askLocalStatus, type LocalStatusServer, serveLocalStatus } from './local-status.ts'

useLeakCheck()

let scope: string
let servers: LocalStatusServer[]
beforeEach(() => {
  scope = randomUUID()
  servers = []
})
afterEach(() => Promise.all(servers.map(server => server.close())))

const fail = (error: Error): never => {
  throw error
}
const ask = () => askLocalStatus({ program: 'telephone', scope, timeoutMs: 5000 })
function serve(state = 'ready'): LocalStatusServer {
  const server = serveLocalStatus({
    program: 'telephone',
    scope,
    status: () => ({ state, detail: '2 of 2 tunnels' }),
    onProblem: fail,
  })
  servers.push(server)
  return server
}

describe.runIf(process.platform === 'linux')('the local status', () => {
  it('is that of the process, with its process id', async () => {
    serve()
    expect(await ask()).toEqual([
      { kind: 'responds', pid: process.pid, status: { state: 'ready', detail: '2 of 2 tunnels' } },
    ])
  })

  it('is empty without a process, after its end, and for another program or scope', async () => {
    expect(await ask()).toEqual([])
    const server = serve()
    expect(await askLocalStatus({ program: 'plugboard', scope, timeoutMs: 5000 })).toEqual([])
    expect(await askLocalStatus({ program: 'telephone', scope: randomUUID(), timeoutMs: 5000 })).toEqual([])
    await server.close()
    expect(await ask()).toEqual([])
  })

  it('fails for a process that accepts the connection and does not respond', async () => {
    serve()
    const [found] = await ask()
    await servers.pop()?.close()
    // The name of the process above, held by a server that is stuck.
    const stuck = createServer({ pauseOnConnect: true })
    const { readlinkSync } = await import('node:fs')
    const namespace = readlinkSync('/proc/self/ns/pid').replace(/\D/g, '')
    stuck.listen(`\0vera-stack/telephone/${namespace}/${scope}/${found?.pid}`)
    const sockets: { destroy(): void }[] = []
    stuck.on('connection', socket => sockets.push(socket))
    expect(await askLocalStatus({ program: 'telephone', scope, timeoutMs: 50 })).toEqual([
      { kind: 'fails', pid: process.pid, problem: 'does not respond within 50 ms' },
    ])
    for (const socket of sockets) socket.destroy()
    await new Promise(resolve => stuck.close(resolve))
  })

  it('is served to further clients while one stays silent', async () => {
    serve()
    const { readlinkSync } = await import('node:fs')
    const namespace = readlinkSync('/proc/self/ns/pid').replace(/\D/g, '')
    const path = `\0vera-stack/telephone/${namespace}/${scope}/${process.pid}`
    const silent = createConnection({ path, allowHalfOpen: true })
    await new Promise(resolve => silent.on('connect', resolve))
    expect(await ask()).toMatchObject([{ kind: 'responds' }])
    silent.destroy()
  })

  it('reports that it cannot listen, and the program continues', async () => {
    serve()
    const problem = Promise.withResolvers<Error>()
    const second = serveLocalStatus({
      program: 'telephone',
      scope,
      status: () => ({ state: 'ready', detail: '' }),
      onProblem: problem.resolve,
    })
    expect(await problem.promise).toMatchObject({ code: 'EADDRINUSE' })
    await second.close()
  })
})
