// Runs the alerts with promtool: its check of the rules, and the series of alerts.test.yaml. Skipped, with the reason, when
// promtool is not installed.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { findProgram } from '../test/support/process/find-program.ts'

const run = promisify(execFile)
const FOLDER = join(import.meta.dirname, 'prometheus')
const promtool = findProgram('promtool')
if (promtool === undefined) console.log('no promtool on this machine: the alerts are not evaluated')

describe.skipIf(promtool === undefined)('the alerts, evaluated by promtool', () => {
  it.each([
    ['check', 'config', 'prometheus.yaml'],
    ['check', 'rules', 'alerts.yaml'],
    ['test', 'rules', 'alerts.test.yaml'],
  ])('promtool %s %s %s', async (...args) => {
    const { stdout } = await run(promtool!, args, { cwd: FOLDER }).catch(
      (error: { stdout: string; stderr: string }) => expect.fail(error.stdout + error.stderr),
    )
    expect(stdout).toContain('SUCCESS')
  })
})
