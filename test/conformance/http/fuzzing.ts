// A short run of the fuzzer: another seed each time, printed when it finds something. `npm run fuzz` is the long one.

import { expect, it } from 'vitest'
import { runSeed } from '../../support/seeded-random.ts'
import { edge } from './edge.ts'
import { fuzzAccess } from './fuzz/access-fuzz.ts'
import { Fuzz } from './fuzz/fuzz-run.ts'
import { fuzzRules } from './fuzz/rules-fuzz.ts'

it('mutated requests are neither lost, doubled nor taken for others', async () => {
  const seed = runSeed()
  const report = await new Fuzz({ edge, seed, count: 2000, workers: 8 }).run()
  expect(report.violations, `SEED=${seed}`).toEqual([])
  // The mutations leave enough in order for the comparison to mean something, and break enough.
  expect(report.forwarded).toBeGreaterThan(500)
  expect(report.faulty).toBeGreaterThan(500)
})

it('random rules, claims and tokens pass exactly when they fit', async () => {
  const seed = runSeed()
  const { passed, refused, violations } = await fuzzAccess(seed, 300)
  expect(violations, `SEED=${seed}`).toEqual([])
  expect(Math.min(passed, refused)).toBeGreaterThan(20)
})

it('random rules of addresses, passwords, CORS and edits mean what the oracle reads in them', async () => {
  const seed = runSeed()
  const { outcomes, violations } = await fuzzRules(seed, 500)
  expect(violations, `SEED=${seed}`).toEqual([])
  for (const outcome of ['address_denied', 'unauthorized', 'bad_request', 'preflight', 'forwarded'])
    expect(outcomes[outcome] ?? 0, `SEED=${seed}: ${outcome}`).toBeGreaterThan(5)
})
