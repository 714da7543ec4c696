// A short run of the fuzzer: another seed each time, printed when it finds something. `npm run fuzz` is the long one.

import { expect, it } from 'vitest'
import { runSeed } from '../../support/seeded-random.ts'
import { edge } from './edge.ts'
import { Fuzz } from './fuzz/fuzz-run.ts'

it('mutated requests are neither lost, doubled nor taken for others', async () => {
  const seed = runSeed()
  const report = await new Fuzz({ edge, seed, count: 2000, workers: 8 }).run()
  expect(report.violations, `SEED=${seed}`).toEqual([])
  // The mutations leave enough in order for the comparison to mean something, and break enough.
  expect(report.forwarded).toBeGreaterThan(500)
  expect(report.faulty).toBeGreaterThan(500)
})
