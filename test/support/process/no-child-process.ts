// vitest setupFile of the unit project: a unit test that starts a child process fails. Such a test belongs in a file
// named `*.integration.test.ts` (TESTING.md).

import childProcess from 'node:child_process'
import { syncBuiltinESMExports } from 'node:module'

const STARTERS = ['exec', 'execFile', 'execFileSync', 'execSync', 'fork', 'spawn', 'spawnSync'] as const

for (const name of STARTERS) {
  const refuse = (...[command]: unknown[]): never => {
    throw new Error(
      `A unit test started a child process: ${name}(${JSON.stringify(command)}). ` +
        'Rename its file to *.integration.test.ts.',
    )
  }
  Object.assign(childProcess, { [name]: refuse })
}
syncBuiltinESMExports()
