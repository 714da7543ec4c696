// Adds up the reports of the test runs. Plain JavaScript for any Node, because it also runs when the install failed.
// A failure outside of the tests (install, lint, types) counts as one failed test.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const [folder, status] = process.argv.slice(2)
const reports = readdirSync(folder).map(file => JSON.parse(readFileSync(join(folder, file), 'utf8')))
const sum = name => reports.reduce((total, report) => total + report[name], 0)
// A test file that cannot be loaded is a failed suite without a failed test.
const broken = reports
  .flatMap(report => report.testResults)
  .filter(file => file.status === 'failed' && !file.assertionResults.some(test => test.status === 'failed'))
const failed = Math.max(sum('numFailedTests') + broken.length, status === '0' ? 0 : 1)
const skipped = sum('numPendingTests')
if (skipped > 0) console.log(`${skipped} skipped`)
console.log(`${sum('numPassedTests')} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
