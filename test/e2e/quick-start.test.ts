// The first steps of a new user: one command and a page in the browser; kill it and start it again; and a start that fails
// with the reason in one line.

import { once } from 'node:events'
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { networkAddress } from '../../plugboard/dev/reachable-addresses.ts'
import { Backend } from '../support/backend/backend-process.ts'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import type { Child } from '../support/process/child.ts'
import { findProgram } from '../support/process/find-program.ts'
import { processesIn, removeFolder, temporaryFolder } from '../support/process/folder.ts'
import { freePort } from '../support/process/free-port.ts'
import { Processes } from '../support/process/processes.ts'
import {
  cleanEnvironment,
  type PlugboardOptions,
  PlugboardProcess,
} from '../support/programs/plugboard-process.ts'

const hasIpv6 = Object.values(networkInterfaces()).some(list =>
  list?.some(({ address }) => address === '::1'),
)
const ROOT = join(import.meta.dirname, '../..')

let processes: Processes
let folder: string

beforeEach(async () => {
  processes = new Processes()
  folder = await temporaryFolder()
})

afterEach(async () => {
  try {
    await processes.stopAll()
  } finally {
    // `plugboard dev` must have ended all processes that it started.
    expect(await removeFolder(folder)).toEqual([])
  }
})

const dev = (options: Partial<PlugboardOptions> = {}) =>
  PlugboardProcess.start({ processes, folder, command: 'dev', ...options })

const page = (plugboard: PlugboardProcess, path = '/') =>
  send({ port: plugboard.port, host: `localhost:${plugboard.port}`, path })

/** Waits for the end of a start that cannot succeed: exit code 1, one line, no stack. */
async function refusal(child: Child): Promise<string> {
  child.expectedToExit = true
  const exit = await child.exited
  expect(exit, child.output).toEqual({ code: 1, signal: null })
  expect(child.output).not.toMatch(/^\s+at /m)
  const lines = child.lines.filter(line => /^plugboard: /.test(line))
  expect(lines, child.output).toHaveLength(1)
  return lines[0]!
}

describe('plugboard dev', () => {
  it('shows a page that came through a tunnel, and prints the next steps', async () => {
    const plugboard = await dev()
    const response = await eventually('the page comes', async () => {
      const got = await page(plugboard)
      return got.status === 200 ? got : undefined
    })
    expect(response.headers['content-type']).toContain('text/html')
    expect(response.text).toContain('It works')
    const telephones = await plugboard.telephones()
    expect(telephones.length).toBeGreaterThan(0)
    await plugboard.child.waitForLine(new RegExp(`http://localhost:${plugboard.port}`))
    expect(plugboard.child.output).toMatch(/telephone\S* http 3000 /)
    await plugboard.child.stop()
    expect(processesIn(folder)).toEqual([])
  })

  it('prints commands that work unchanged in any folder', async () => {
    const backend = await Backend.start(processes)
    const plugboard = await dev()
    await plugboard.child.waitForLine(/Ctrl-C/)
    const printed = (pattern: RegExp): string => {
      const line = plugboard.child.lines.find(candidate => pattern.test(candidate))
      expect(line, plugboard.child.output).toBeDefined()
      return line!.trim()
    }
    const elsewhere = join(folder, 'elsewhere')
    await mkdir(elsewhere)
    // The command runs as in another terminal, without the folders that npm adds to the path.
    const isAdded = (entry: string): boolean => /node_modules\/\.bin|node-gyp-bin/.test(entry)
    const entries = (process.env.PATH ?? '').split(':').filter(entry => !isAdded(entry))
    const shell = (name: string, line: string): Child => {
      expect(line).not.toContain('npx')
      const env = cleanEnvironment({ PATH: entries.join(':') })
      return processes.start({ name, command: 'sh', args: ['-c', `exec ${line}`], cwd: elsewhere, env })
    }

    shell('telephone', printed(/ http 3000 /).replace('http 3000', `http ${backend.port}`))
    await eventually('the app responds', async () => {
      const response = await send({
        port: plugboard.port,
        host: `app.localhost:${plugboard.port}`,
        path: '/hello',
      })
      return response.text === 'hello\n' ? true : undefined
    })
    const list = shell('route list', printed(/ route list /))
    list.expectedToExit = true
    expect((await list.exited).code, list.output).toBe(0)
    expect(list.output).toContain('app.localhost')
    const curl = printed(/^\s*curl /)
    if (findProgram('curl') === undefined)
      return console.log('no curl on this machine: its line is not tried')
    const fetched = shell('curl', curl)
    fetched.expectedToExit = true
    expect((await fetched.exited).code, fetched.output).toBe(0)
    expect(fetched.output).toContain('"mount":"app.localhost"')
  })

  it('exposes a port with one command, at a generated address', async () => {
    const backend = await Backend.start(processes)
    const plugboard = await dev()
    const { port } = plugboard
    const telephone = processes.node(
      'telephone',
      [
        join(ROOT, 'telephone/main.ts'),
        'http',
        String(backend.port),
        '--plugboard',
        `http://localhost:${port}`,
      ],
      { cwd: folder, env: cleanEnvironment() },
    )
    const line = await telephone.waitForLine(/^✓ http:\/\/[a-z]+-[a-z]+\.localhost:\d+\/ → /)
    const host = /[a-z]+-[a-z]+\.localhost:\d+/.exec(line[0])![0]
    expect((await send({ port, host, path: '/hello' })).text).toBe('hello\n')
    const { items } = await plugboard.call<{ items: { mount: string; lifetimeSeconds: number }[] }>(
      'GET',
      '/v1/routes',
    )
    const mount = host.replace(`:${port}`, '')
    expect(items.find(route => route.mount === mount)).toMatchObject({ lifetimeSeconds: 600 })
    expect(await telephone.stop()).toEqual({ code: 0, signal: null })
  })

  it('exposes a port of this machine instead', async () => {
    const backend = await Backend.start(processes)
    const plugboard = await dev({ args: ['--expose', String(backend.port)] })
    await eventually('the app responds', async () =>
      (await page(plugboard, '/hello')).text === 'hello\n' ? true : undefined,
    )
  })

  it('runs twice side by side', async () => {
    await mkdir(join(folder, 'one'))
    await mkdir(join(folder, 'two'))
    const [one, two] = await Promise.all([
      dev({ folder: join(folder, 'one') }),
      dev({ folder: join(folder, 'two') }),
    ])
    for (const plugboard of [one, two]) {
      await eventually('the page comes', async () =>
        (await page(plugboard)).status === 200 ? true : undefined,
      )
    }
    expect(await one.adminKey()).not.toBe(await two.adminKey())
  })

  it('has all acknowledged data after kill -9 and a new start, two times', async () => {
    let plugboard = await dev()
    const { port, adminPort } = plugboard
    const key = await plugboard.adminKey()
    await plugboard.addService('kept')
    const acknowledged: string[] = []
    for (let round = 0; round < 2; round += 1) {
      let writing = true
      const writer = (async () => {
        for (let count = 0; writing; count += 1) {
          const mount = `kept-${round}-${count}.localhost/`
          await plugboard.addRoute(mount, 'kept')
          acknowledged.push(mount)
        }
      })().catch(error => error as Error)
      await eventually('some routes are written', () =>
        acknowledged.length > 10 * (round + 1) ? true : undefined,
      )
      await plugboard.child.stop('SIGKILL')
      writing = false
      // The last request failed with the server, or was not sent because the loop had ended.
      await writer
      plugboard = await dev({ port, adminPort })
      await eventually('the page comes', async () =>
        (await page(plugboard)).status === 200 ? true : undefined,
      )
      expect(await plugboard.adminKey()).toBe(key)
      for (const mount of acknowledged) {
        const response = await plugboard.api('GET', `/v1/routes/${encodeURIComponent(mount)}`)
        expect(response.status, mount).toBe(200)
      }
    }
  })

  it('writes secrets that only their owner can read', async () => {
    const plugboard = await dev()
    const mode = (await stat(join(folder, 'data/secrets/admin.key'))).mode & 0o777
    expect(mode.toString(8)).toBe('600')
    expect(plugboard.child.output).not.toContain(await plugboard.adminKey())
  })
})

it('ends in order when it gets a signal during its start', async () => {
  const { child } = await PlugboardProcess.launch({ processes, folder, command: 'dev' })
  await eventually('the database has been started', () =>
    processesIn(folder).some(({ command }) => /postgres\S* -D/.test(command)) ? true : undefined,
  )
  expect(await child.stop()).toEqual({ code: 0, signal: null })
  expect(processesIn(folder)).toEqual([])
})

describe('the machines that can connect', () => {
  const ownAddress = networkAddress()
  const plain = (address: string) => address.replace(/^\[|\]$/g, '')

  it('are only this machine, by IPv4 and by IPv6', async () => {
    const plugboard = await dev()
    const { port } = plugboard
    await plugboard.child.waitForLine(/Only this machine can connect\. With --lan/)
    for (const [address, host] of [
      ['127.0.0.1', '127.0.0.1'],
      ...(hasIpv6 ? [['::1', '[::1]'] as const, ['::1', 'localhost'] as const] : []),
    ] as const) {
      const response = await send({ port, address, host: `${host}:${port}` })
      expect([host, response.status]).toEqual([host, 200])
    }
    if (ownAddress === undefined) return
    await expect(send({ port, address: plain(ownAddress) })).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it.skipIf(ownAddress === undefined)('are also others with --lan, only at the public port', async () => {
    const plugboard = await dev({ args: ['--lan'] })
    const { port, adminPort } = plugboard
    const address = plain(ownAddress!)
    await plugboard.child.waitForLine(new RegExp(`Network +http://.*:${port} `))
    expect(plugboard.child.output).toContain(`http://${ownAddress}:${port}`)
    expect((await send({ port, address, host: `${ownAddress}:${port}` })).text).toContain('It works')
    await expect(send({ port: adminPort, address })).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })
})

describe('a start that cannot succeed', () => {
  it('names both ports that are in use before it creates a database', async () => {
    const [port, adminPort] = [await freePort(), await freePort()]
    const servers = [createServer().listen(port), createServer().listen(adminPort)]
    await Promise.all(servers.map(server => once(server, 'listening')))
    try {
      const { child } = await PlugboardProcess.launch({ processes, folder, command: 'dev', port, adminPort })
      expect(await refusal(child)).toBe(
        `plugboard: 127.0.0.1:${port} is in use: choose another with --port. ` +
          `127.0.0.1:${adminPort} is in use: choose another with --admin-port.`,
      )
      expect(await readdir(folder)).toEqual([])
    } finally {
      await Promise.all(servers.map(server => once(server.close(), 'close')))
    }
  })

  it('names --lan when a setting has other addresses', async () => {
    const env = cleanEnvironment({ PLUGBOARD_LISTEN: '127.0.0.1:4000' })
    const args = [join(ROOT, 'plugboard/main.ts'), 'dev', '--lan']
    const child = processes.node('plugboard', args, { env, cwd: folder })
    child.expectedToExit = true
    expect((await child.exited).code).toBe(2)
    expect(child.output).toContain(
      '--lan listens on all addresses, but "listen" names others (variable PLUGBOARD_LISTEN',
    )
  })

  it('names the port that is in use', async () => {
    const port = await freePort()
    const server = createServer().listen(port)
    await once(server, 'listening')
    try {
      for (const which of ['port', 'adminPort'] as const) {
        const { child } = await PlugboardProcess.launch({ processes, folder, command: 'dev', [which]: port })
        expect(await refusal(child)).toMatch(new RegExp(`${port}.*in use`))
      }
    } finally {
      server.close()
      await once(server, 'close')
    }
  })

  it('names the data folder that another process uses, and does not disturb that process', async () => {
    const first = await dev()
    const { child } = await PlugboardProcess.launch({ processes, folder, command: 'dev' })
    expect(await refusal(child)).toContain(join(folder, 'data'))
    await eventually('the page comes', async () => ((await page(first)).status === 200 ? true : undefined))
  })

  it('names the data folder that cannot be written', async () => {
    // Root may write to any folder, but not into a file.
    await writeFile(join(folder, 'data'), 'not a folder')
    const { child } = await PlugboardProcess.launch({ processes, folder, command: 'dev' })
    expect(await refusal(child)).toContain(join(folder, 'data'))
  })
})
