// Tests the packages as they are published: packed, installed into an empty project, and used there on each supported version
// of Node that this machine has. The install downloads no package, because the binaries of the embedded Postgres are omitted.

import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { execPath, versions } from 'node:process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { removeFolder, temporaryFolder } from '../../test/support/process/folder.ts'
import { findOlderNodes } from '../../test/support/process/older-nodes.ts'

const ROOT = join(import.meta.dirname, '../..')
const run = promisify(execFile)

interface PackedFile {
  readonly path: string
}

let folder: string
let project: string
const files = new Map<string, string[]>()

beforeAll(async () => {
  folder = await temporaryFolder('vera-packages-')
  project = join(folder, 'project')
  await mkdir(project)
  const bundles = join(folder, 'bundles')
  await run(execPath, [join(ROOT, 'scripts/build/build.ts'), '--out', bundles], { cwd: ROOT })
  const archives: string[] = []
  for (const name of ['plugboard', 'telephone']) {
    const options = ['--json', '--pack-destination', folder]
    const { stdout } = await run('npm', ['pack', join(bundles, name), ...options], { cwd: ROOT })
    const packed = JSON.parse(stdout) as { filename: string; files: PackedFile[] }[]
    files.set(
      name,
      packed.flatMap(each => each.files.map(({ path }) => path)),
    )
    archives.push(...packed.map(({ filename }) => join(folder, filename)))
  }
  await writeFile(join(project, 'package.json'), '{ "type": "module", "private": true }')
  await run('npm', ['install', '--offline', '--omit=optional', ...archives], { cwd: project })
}, 120_000)

afterAll(async () => {
  expect(await removeFolder(folder)).toEqual([])
})

describe.each(['plugboard', 'telephone'])('the package of %s', name => {
  it('holds the bundle with its source maps, licences and a README, and no source or test', () => {
    const paths = files.get(name)!
    expect(paths).toEqual(
      expect.arrayContaining([
        'LICENSE',
        'README.md',
        'THIRD_PARTY_LICENSES',
        'check-node.cjs',
        'launch.cjs',
        'main.js',
        'main.js.map',
        'package.json',
      ]),
    )
    const reference = paths.filter(path => path.startsWith('reference/')).sort()
    const expected = ['swagger-ui-bundle.js', 'swagger-ui-bundle.js.LICENSE.txt', 'swagger-ui.css']
    expect(reference).toEqual(name === 'plugboard' ? expected.map(file => `reference/${file}`) : [])
    const unexpected = paths.filter(path => /(?<!\.d)\.ts$/.test(path) || /\.test\./.test(path))
    expect(unexpected).toEqual([])
  })

  it('can be read by other users, such as the user of the image', async () => {
    const bundle = join(folder, 'bundles', name)
    const closed: string[] = []
    for (const path of await readdir(bundle, { recursive: true })) {
      const entry = await stat(join(bundle, path))
      const needed = entry.isDirectory() ? 0o005 : 0o004
      if ((entry.mode & needed) !== needed) closed.push(path)
    }
    expect(closed).toEqual([])
  })

  it('has a description, and its source folder cannot be published by mistake', async () => {
    const [source, published] = await Promise.all(
      [join(ROOT, name), join(folder, 'bundles', name)].map(
        async path =>
          JSON.parse(await readFile(join(path, 'package.json'), 'utf8')) as Record<string, unknown>,
      ),
    )
    expect(published).toMatchObject({ name: `@vera-stack/${name}`, description: expect.any(String) })
    expect(published).toMatchObject({
      engines: { node: '^22.21 || >=24.9' },
      bin: { [name]: './launch.cjs' },
    })
    expect(published).not.toHaveProperty('private')
    expect(source).toMatchObject({ private: true, version: published?.version })
  })
})

describe.each([{ path: execPath, major: Number(versions.node.split('.', 1)[0]) }, ...findOlderNodes()])(
  'installed, on Node $major',
  ({ path }) => {
    const env = () => ({ ...process.env, PATH: `${dirname(path)}:${process.env.PATH}` })

    it.each(['plugboard', 'telephone'])('%s starts and shows its version', async name => {
      const { version } = JSON.parse(await readFile(join(ROOT, name, 'package.json'), 'utf8')) as {
        version: string
      }
      const { stdout } = await run(join(project, 'node_modules/.bin', name), ['--version'], { env: env() })
      expect(stdout).toContain(version)
    })

    it('the library and the start of the program contain no code of OpenTelemetry', async () => {
      const folder = join(project, 'node_modules/@vera-stack/telephone')
      for (const entry of ['index.js', 'main.js']) {
        const text = await readFile(join(folder, entry), 'utf8')
        const chunks = [...text.matchAll(/\bfrom "\.\/(chunk-[^"]+)"/g)].map(([, name]) => name!)
        const loaded = [
          text,
          ...(await Promise.all(chunks.map(name => readFile(join(folder, name), 'utf8')))),
        ]
        expect(chunks.length).toBeGreaterThan(0)
        expect(loaded.filter(each => each.includes('node_modules/@opentelemetry/'))).toEqual([])
      }
    })

    // The code of metrics and traces is loaded only when a setting asks for it.
    it('the program is loaded, without undici', async () => {
      const report = `process.on('exit', () =>
        console.log(process.moduleLoadList.filter(name => name.includes('undici'))))`
      const hook = `data:text/javascript,${encodeURIComponent(report)}`
      const main = join(project, 'node_modules/@vera-stack/telephone/main.js')
      expect((await run(path, ['--import', hook, main, '--version'])).stdout).toMatch(/\[\]\n$/)
    })

    // undici takes 16 MB of memory. An import of node:http loads it (docs/decisions/0019-memory-of-a-telephone.md).
    it('the library is loaded, without undici', async () => {
      const script = `import('@vera-stack/telephone').then(library =>
        console.log(typeof library.connect, process.moduleLoadList.filter(name => name.includes('undici'))))`
      expect((await run(path, ['-e', script], { cwd: project })).stdout).toBe('function []\n')
    })
  },
)

/**
 * All names that the declarations of the library may have. A further name is a promise to its users, so add it on purpose
 * only.
 */
const PUBLIC_NAMES = [
  'AnnouncedService',
  'BackendCauseCode',
  'BackendFailure',
  'ConnectOptions',
  'ConnectSettings',
  'DialFailure',
  'ErrorCode',
  'ExchangeSummary',
  'FailureReport',
  'FetchHandler',
  'HandlerFailure',
  'HealthOutage',
  'Reason',
  'ServiceOptions',
  'TelephoneEvent',
  'TelephoneHandle',
  'TelephoneListener',
  'TelephoneSettings',
  'TunnelStatus',
  'VeraError',
  'collectBodyMemory',
  'connect',
  'resolveTenant',
]

it('the library declares only its public types, and exports all of them', async () => {
  const text = await readFile(join(folder, 'bundles/telephone/index.d.ts'), 'utf8')
  const declared = text.matchAll(
    /^(?:export )?(?:declare )?(?:abstract )?(?:class|const|enum|function|interface|let|namespace|type|var) (\w+)/gm,
  )
  expect([...declared].map(([, name]) => name).sort()).toEqual(PUBLIC_NAMES)
  const lists = [...text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, names]) =>
    names!.split(','),
  )
  const inPlace = [...text.matchAll(/^export declare \w+ (\w+)/gm)].map(([, name]) => name!)
  expect([...lists.map(name => name.trim()), ...inPlace].sort()).toEqual(PUBLIC_NAMES)
})

it('a strict project can use the types of the library without our sources', async () => {
  await mkdir(join(project, 'node_modules/@types'), { recursive: true })
  for (const name of ['@types/node', 'undici-types']) {
    await symlink(join(ROOT, 'node_modules', name), join(project, 'node_modules', name))
  }
  await writeFile(
    join(project, 'use.ts'),
    `import { connect, type TelephoneEvent, type TelephoneHandle, VeraError } from '@vera-stack/telephone'
const telephone: TelephoneHandle | string = await connect({
  plugboard: 'https://proxy.example.com',
  token: 'x',
  service: 'shop',
  target: (request: Request) => new Response(request.url),
  onEvent: (event: TelephoneEvent) => console.log(event.kind),
}).catch((error: unknown) => (error instanceof VeraError ? error.code : 'unknown'))
if (typeof telephone !== 'string') {
  console.log(telephone.state, telephone.services.flatMap(({ urls }) => urls))
  await telephone.close()
}
`,
  )
  const options = ['--strict', '--noEmit', '--target', 'es2024', '--module', 'nodenext', '--types', 'node']
  const checked = run(join(ROOT, 'node_modules/.bin/tsc'), [...options, 'use.ts'], { cwd: project })
  await expect(checked).resolves.toMatchObject({ stdout: '' })
})
