// Checks the units of systemd and launchd in docs/units without a service manager: the tools of systemd and the plist parser of
// Python read them, and the programs accept their command lines.

import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { findProgram } from '../support/process/find-program.ts'
import { removeFolder, temporaryFolder } from '../support/process/folder.ts'

const UNITS = join(import.meta.dirname, '../../docs/units')
const run = promisify(execFile)

describe.each(['plugboard', 'telephone'])('%s.service', name => {
  const analyze = findProgram('systemd-analyze')

  it.skipIf(analyze === undefined)('has only keys and values that systemd accepts', async () => {
    const folder = await temporaryFolder('vera-units-')
    onTestFinished(() => void removeFolder(folder))
    const text = await readFile(join(UNITS, `${name}.service`), 'utf8')
    const installed = `/usr/local/bin/${name}`
    expect(text).toContain(`ExecStart=${installed} start --config`)
    // The program is not installed here, so the complaint of systemd about this is ignored.
    const unit = join(folder, `${name}.service`)
    await writeFile(unit, text.replace(installed, '/bin/true'))
    const verified = await run(analyze as string, ['verify', '--man=no', unit])
    expect(verified.stderr).toBe('')
  })
})

it.skipIf(findProgram('python3') === undefined)(
  'telephone.plist is a property list that starts the Telephone',
  async () => {
    const script = 'import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], "rb"))))'
    const { stdout } = await run('python3', ['-c', script, join(UNITS, 'telephone.plist')])
    expect(JSON.parse(stdout)).toMatchObject({
      RunAtLoad: true,
      KeepAlive: { SuccessfulExit: false },
      ProgramArguments: expect.arrayContaining(['start', '--config']),
    })
  },
)
