// T10: 100,000 routes, each requested once, a scrape and a promotion, in a process of its own.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const PROGRAM = join(import.meta.dirname, '../../test/support/programs/metrics-memory.ts')
/** 6 MB, less two fields of each route, which exist before the measurement. */
const MAX_BYTES = 6e6 - 100_000 * 2 * 8

it('needs at most 6 MB for 100,000 routes, and lets no counter fall', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', PROGRAM])
  const { bytes, fallen, promoted, routes } = JSON.parse(stdout) as {
    readonly bytes: number
    readonly fallen: readonly string[]
    readonly promoted: boolean
    readonly routes: number
  }
  expect({ fallen, promoted, routes }).toEqual({ fallen: [], promoted: true, routes: 99_999 })
  expect(bytes).toBeLessThan(MAX_BYTES)
})
