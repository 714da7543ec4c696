// Starts the launchers of both programs on a Node that is too old. The old version is simulated: a file that is loaded first
// replaces `process.versions`.

import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { removeFolder, temporaryFolder } from '../../test/support/process/folder.ts'

const ROOT = join(import.meta.dirname, '../..')
let folder: string

beforeAll(async () => {
  folder = await temporaryFolder()
})
afterAll(async () => {
  await removeFolder(folder)
})

async function launch(program: string, version: string) {
  const pretence = join(folder, `${version}.cjs`)
  await writeFile(
    pretence,
    `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`,
  )
  const args = ['--require', pretence, join(ROOT, program, 'launch.cjs'), '--version']
  return await new Promise<{ code: unknown; stdout: string; stderr: string }>(resolve =>
    execFile(execPath, args, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr })),
  )
}

describe.each(['plugboard', 'telephone'])('%s', program => {
  it.each(['14.0.0', '20.20.2', '22.17.1', '23.5.0'])('ends in one line on Node %s', async version => {
    expect(await launch(program, version)).toEqual({
      code: 1,
      stdout: '',
      stderr: `${program}: Node ${version} (${execPath}) is too old. Install Node 22.21 or a newer 22, or Node 24.9 or newer.\n`,
    })
  })

  it('runs on a Node that is new enough', async () => {
    expect(await launch(program, '24.9.0')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d/) })
  })
})
