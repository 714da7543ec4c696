// A public generator (swagger-typescript-api) makes a client from the OpenAPI document. The client compiles, and it creates,
// reads and changes rows of a Plugboard. The test installs the generator into a temporary folder, because only this test uses it.

import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { useInstalledPackage } from '../support/process/use-installed-package.ts'
import { useProcesses } from '../support/process/use-processes.ts'
import { PlugboardProcess } from '../support/programs/plugboard-process.ts'

const GENERATOR = 'swagger-typescript-api'
const VERSION = '13.13.0'

const run = promisify(execFile)
const processes = useProcesses()
const installed = useInstalledPackage(`${GENERATOR}@${VERSION}`)

/** Uses the generated client. It prints one line of JSON with the results. */
const PROGRAM = `
import { Api, HttpClient } from './client.ts'

const [baseUrl, key] = process.argv.slice(2) as [string, string]
const api = new Api(new HttpClient({ baseUrl, baseApiParams: { headers: { Authorization: 'Bearer ' + key } } }))
const service = await api.v1.createService({ name: 'generated', policy: { balancing: 'least_streams' } })
const route = await api.v1.createRoute({ mount: 'generated.test', service: 'generated' })
const routes = await api.v1.listRoutes()
const refused = await api.v1.createRoute({ mount: 'generated.test', service: 'generated' }).catch(response => response)
console.log(JSON.stringify({
  balancing: service.data.policy.balancing,
  mount: route.data.mount,
  listed: routes.data.items.map(item => item.mount),
  refused: [refused.status, refused.error.code],
}))
`

it('a generated client compiles, and works', async context => {
  const [folder, missing] = [installed.folder(), installed.missing()]
  if (missing !== undefined) context.skip(missing)
  const plugboard = await PlugboardProcess.start({ processes, folder })
  const url = `http://127.0.0.1:${plugboard.adminPort}`
  await writeFile(join(folder, 'openapi.json'), await (await fetch(`${url}/openapi.json`)).text())
  const generator = join(folder, 'node_modules', GENERATOR, 'dist/cli.mjs')
  const options = ['--path', 'openapi.json', '--output', '.', '--name', 'client.ts', '--single-http-client']
  await run(process.execPath, [generator, 'generate', ...options], { cwd: folder })
  await writeFile(join(folder, 'program.ts'), PROGRAM)
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')
  const flags = ['--strict', '--target', 'es2022', '--module', 'nodenext', '--skipLibCheck', 'false']
  const types = [
    '--lib',
    'es2024,dom,dom.iterable',
    '--types',
    'node',
    '--typeRoots',
    join(process.cwd(), 'node_modules/@types'),
  ]
  const output = ['--rewriteRelativeImportExtensions', '--outDir', 'out']
  await run(process.execPath, [compiler, ...flags, ...types, ...output, 'program.ts'], { cwd: folder }).catch(
    (error: { stdout: string }) => expect.fail(error.stdout),
  )
  const { stdout } = await run(process.execPath, ['out/program.js', url, await plugboard.adminKey()], {
    cwd: folder,
  })
  expect(JSON.parse(stdout)).toEqual({
    balancing: 'least_streams',
    mount: 'generated.test',
    listed: ['generated.test'],
    refused: [409, 'mount_conflict'],
  })
}, 180_000)
