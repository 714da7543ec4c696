// Tests run without a Docker engine, so this file performs the steps of Docker: it copies the files of each image into an empty
// folder outside of the repository, as its Dockerfile describes, and runs the commands of the compose files there.

import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { execPath } from 'node:process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { networkAddress } from '../plugboard/dev/reachable-addresses.ts'
import { eventually } from '../test/support/deadline.ts'
import { send } from '../test/support/http/http-client.ts'
import { createTestDatabase, type TestDatabase } from '../test/support/postgres/postgres.ts'
import type { Child } from '../test/support/process/child.ts'
import { removeFolder, temporaryFolder } from '../test/support/process/folder.ts'
import { freePort } from '../test/support/process/free-port.ts'
import { findOlderNodes } from '../test/support/process/older-nodes.ts'
import { Processes } from '../test/support/process/processes.ts'
import { cleanEnvironment } from '../test/support/programs/plugboard-process.ts'
import { type ComposeService, readCompose } from './compose-file.ts'
import { type DockerfileStage, parseDockerfile } from './dockerfile.ts'

const ROOT = join(import.meta.dirname, '..')
const run = promisify(execFile)

const stagesOf = async (path: string) => parseDockerfile(await readFile(join(ROOT, path), 'utf8'))
const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  )

let folder: string
const images = new Map<string, DockerfileStage>()

beforeAll(async () => {
  folder = await temporaryFolder('vera-images-')
  await run(execPath, [join(ROOT, 'scripts/build/build.ts'), '--no-types'], { cwd: ROOT })
  for (const name of ['plugboard', 'telephone']) {
    const image = (await stagesOf(`docker/${name}.Dockerfile`)).at(-1)!
    images.set(name, image)
    for (const { source, target } of image.stageCopies) {
      // The build stage works in /src, on a copy of the repository.
      expect(source).toMatch(/^\/src\//)
      const path = join(ROOT, source.slice('/src/'.length))
      await cp(path, join(folder, name, resolve(image.workdir, target)), { recursive: true })
    }
  }
}, 120_000)

afterAll(async () => {
  expect(await removeFolder(folder)).toEqual([])
})

describe('Dockerfiles', () => {
  it.each(['plugboard', 'telephone'])(
    '%s: build with files and scripts that exist, and run without root',
    async name => {
      const [build, image] = (await stagesOf(`docker/${name}.Dockerfile`)) as [
        DockerfileStage,
        DockerfileStage,
      ]
      for (const { source } of build.contextCopies)
        expect(await exists(join(ROOT, source)), source).toBe(true)
      const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
        scripts: object
      }
      for (const command of build.runs) {
        const script = command.match(/^npm run (\S+)$/)?.[1]
        expect(command === 'npm ci' || (script !== undefined && script in scripts), command).toBe(true)
      }
      expect(image.user).toBe('node')
      expect(image.healthcheck.length).toBeGreaterThan(0)
    },
  )

  it('exclude files from the context that must not be in an image', async () => {
    const ignored = (await readFile(join(ROOT, '.dockerignore'), 'utf8')).split('\n')
    expect(ignored).toEqual(expect.arrayContaining(['.git', 'data', '**/node_modules', '**/dist']))
  })
})

describe.each(['compose.yaml', 'compose.quickstart.yaml', 'compose.cluster.yaml'])('%s', file => {
  it('names files, services, volumes and networks that exist', async () => {
    const { services, volumes, networks = {} } = await readCompose(file)
    for (const service of Object.values(services)) {
      if (service.build) {
        const context = join(ROOT, 'docker', service.build.context)
        expect(await exists(join(context, service.build.dockerfile))).toBe(true)
      }
      for (const name of Object.keys(service.depends_on ?? {})) expect(services).toHaveProperty(name)
      for (const name of service.networks ?? []) expect(networks).toHaveProperty(name)
      for (const mount of service.volumes ?? []) {
        const [source = ''] = mount.split(':')
        if (source.startsWith('.')) expect(await exists(join(ROOT, 'docker', source)), source).toBe(true)
        else expect(volumes).toHaveProperty(source)
      }
    }
  })
})

describe('the commands of the images, without Docker', () => {
  const processes = new Processes()
  let database: TestDatabase
  let ports: Record<'public' | 'admin' | 'app', number>

  beforeAll(async () => {
    database = await createTestDatabase()
    ports = { public: await freePort(), admin: await freePort(), app: await freePort() }
    for (const volume of ['data', 'tokens']) await mkdir(join(folder, volume))
  })
  afterAll(async () => {
    await processes.stopAll()
    await database.drop()
  })

  /** Replaces the addresses and folders of the containers by those of this test. */
  const here = (text: string) =>
    text
      .replace(/^postgres:.*$/, database.url)
      .replaceAll('plugboard:4000', `127.0.0.1:${ports.public}`)
      .replaceAll('plugboard:4001', `127.0.0.1:${ports.admin}`)
      .replaceAll('localhost:4000', `localhost:${ports.public}`)
      .replaceAll(/(127\.0\.0\.1)?:4001/g, `127.0.0.1:${ports.admin}`)
      .replaceAll('http://app:3000', `http://127.0.0.1:${ports.app}`)
      .replaceAll('listen(3000)', `listen(${ports.app}, '127.0.0.1')`)
      .replaceAll(/(?<![\w.])\/(data|tokens)\b/g, `${folder}/$1`)

  function start(
    name: string,
    image: DockerfileStage | undefined,
    service: ComposeService,
    words?: string[],
  ): Child {
    const [command = '', ...args] = words ?? [
      ...(service.entrypoint ?? image?.entrypoint ?? []),
      ...(service.command ?? image?.command ?? []),
    ]
    const settings = { ...image?.env, ...service.environment }
    const listen = { PLUGBOARD_LISTEN: `127.0.0.1:${ports.public}` }
    return processes.start({
      name,
      command: command === 'node' ? execPath : command,
      args: args.map(here),
      cwd: image
        ? join(folder, image === images.get('telephone') ? 'telephone' : 'plugboard', image.workdir)
        : folder,
      env: cleanEnvironment({
        PATH: `${dirname(execPath)}:${process.env.PATH}`,
        ...(image === images.get('plugboard') ? listen : {}),
        // A container has its own PID namespace. Here, a scope excludes other processes of the machine.
        VERA_STATUS_SCOPE: `images-${process.pid}`,
        ...Object.fromEntries(Object.entries(settings).map(([key, value]) => [key, here(value)])),
      }),
    })
  }

  async function healthOf(name: string, image: DockerfileStage, service: ComposeService) {
    const probe = start(`health of ${name}`, image, service, image.healthcheck)
    probe.expectedToExit = true
    const { code } = await probe.exited
    return { code, output: probe.output }
  }

  async function healthy(name: string, image: DockerfileStage, service: ComposeService): Promise<void> {
    await eventually(
      `${name} is healthy`,
      async () => {
        const { code, output } = await healthOf(name, image, service)
        if (code !== 0) throw new Error(output)
        return true
      },
      40_000,
    )
  }

  it('serves an app beside its Telephone, as compose.yaml describes', async () => {
    const { services } = await readCompose('compose.yaml')
    const plugboard = images.get('plugboard')!
    const telephone = images.get('telephone')!
    const server = start('plugboard', plugboard, services.plugboard!)
    await healthy('plugboard', plugboard, services.plugboard!)

    const token = start('token', plugboard, services.token!)
    token.expectedToExit = true
    expect((await token.exited).code, token.output).toBe(0)

    const app = start('app', undefined, services.app!)
    // Like many apps, it has no handler for signals.
    app.expectedExitCodes = [-1]
    start('telephone', telephone, services.telephone!)
    await healthy('telephone', telephone, services.telephone!)
    const response = await eventually('the app responds', async () => {
      const got = await send({ port: ports.public, host: `app.localhost:${ports.public}` })
      return got.status === 200 ? got : undefined
    })
    expect(response.text).toBe('hello from the app\n')

    // An outage of Plugboard marks only Plugboard as unhealthy, not the application.
    await server.stop()
    expect((await healthOf('plugboard', plugboard, services.plugboard!)).code).toBe(1)
    expect((await healthOf('telephone', telephone, services.telephone!)).code).toBe(0)
  })
})

describe('the quick start, without Docker', () => {
  const [oldest] = findOlderNodes()

  it('serves the welcome app as compose.quickstart.yaml describes', () => servesTheWelcomeApp(execPath))
  it.skipIf(oldest === undefined)('serves it on the oldest supported Node, when it is installed', () =>
    servesTheWelcomeApp(oldest!.path),
  )

  /** The Telephone that `dev` starts, which runs on the same Node. */
  async function servesTheWelcomeApp(node: string): Promise<void> {
    const processes = new Processes()
    const { services } = await readCompose('compose.quickstart.yaml')
    const image = images.get('plugboard')!
    const { environment = {} } = services.plugboard!
    const [port, adminPort] = [await freePort(), await freePort()]
    // Docker connects to the address of the container, not to its loopback.
    const address = networkAddress()?.replace(/^\[|\]$/g, '') ?? '127.0.0.1'
    try {
      processes.start({
        name: 'plugboard',
        command: node,
        args: ['main.js', ...(services.plugboard!.command ?? [])],
        cwd: join(folder, 'plugboard', image.workdir),
        env: cleanEnvironment({
          PLUGBOARD_DATA: join(folder, 'quickstart'),
          ...environment,
          PLUGBOARD_LISTEN: environment.PLUGBOARD_LISTEN?.replace(/:4000$/, `:${port}`),
          PLUGBOARD_ADMIN_LISTEN: environment.PLUGBOARD_ADMIN_LISTEN?.replace(/:4001$/, `:${adminPort}`),
        }),
      })
      const page = await eventually(
        'the page comes',
        async () => {
          const got = await send({ port, address, host: `localhost:${port}` })
          return got.status === 200 ? got : undefined
        },
        40_000,
      )
      expect(page.text).toContain('It works')
    } finally {
      await processes.stopAll()
    }
  }
})
