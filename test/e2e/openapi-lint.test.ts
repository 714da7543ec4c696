// Checks the OpenAPI document with an outside validator: @redocly/cli with its recommended rules. The test installs it
// into a temporary folder, because only this test uses it.

import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { useInstalledPackage } from '../support/process/use-installed-package.ts'
import { useProcesses } from '../support/process/use-processes.ts'
import { PlugboardProcess } from '../support/programs/plugboard-process.ts'

const VALIDATOR = '@redocly/cli'
const VERSION = '2.77.0'

const run = promisify(execFile)
const processes = useProcesses()
const installed = useInstalledPackage(`${VALIDATOR}@${VERSION}`)

it('@redocly/cli finds no problem in the OpenAPI document', async context => {
  const [folder, missing] = [installed.folder(), installed.missing()]
  if (missing !== undefined) context.skip(missing)
  const plugboard = await PlugboardProcess.start({ processes, folder })
  const response = await fetch(`http://127.0.0.1:${plugboard.adminPort}/openapi.json`)
  const file = join(folder, 'openapi.json')
  await writeFile(file, await response.text())
  const program = join(folder, 'node_modules', VALIDATOR, 'bin/cli.js')
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }
  const args = ['lint', file, '--extends=recommended', '--format=json']
  // Its exit code is 1 when there are problems, and its output names them.
  const { stdout } = await run(process.execPath, [program, ...args], {
    cwd: folder,
    env,
    timeout: 50_000,
  }).catch((error: { stdout: string }) => error)
  const { problems } = JSON.parse(stdout) as {
    problems: { ruleId: string; message: string; location: unknown }[]
  }
  expect(problems).toEqual([])
})
