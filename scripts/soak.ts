// Runs test files of test/e2e in their long form: `npm run soak -- passive-ejection`. Several names run several files. VERA_SOAK_MS
// changes the time of each case, by default one minute.

import { spawnSync } from 'node:child_process'

const names = process.argv.slice(2)
if (names.length === 0) {
  console.error('usage: npm run soak -- NAME…, where NAME is a part of the name of a file in test/e2e')
  process.exit(2)
}
const ms = process.env.VERA_SOAK_MS ?? '60000'
const files = names.map(name => `test/e2e/${name}`)
const limitMs = String(10 * Number(ms) + 60_000)
const args = ['vitest', 'run', '--project', 'e2e', '--testTimeout', limitMs, ...files]
const { status } = spawnSync('npx', args, { stdio: 'inherit', env: { ...process.env, VERA_SOAK_MS: ms } })
process.exit(status ?? 1)
