// A short run of the fuzzer with a new seed each time, which a finding prints. `npm run fuzz` is the long run.

import { expect, it } from 'vitest'
import { runSeed } from '../../support/seeded-random.ts'
import { edge } from './edge.ts'
import { fuzzAccess } from './fuzz/access-fuzz.ts'
import { Fuzz } from './fuzz/fuzz-run.ts'
import { fuzzRules } from './fuzz/rules-fuzz.ts'

it('mutated requests are not lost, doubled or mixed up', async () => {
  const seed = runSeed()
  const report = await new Fuzz({ edge, seed, count: 2000, workers: 8 }).run()
  expect(report.violations, `SEED=${seed}`).toEqual([])
  // The comparison is useful only with enough valid requests and enough faults.
  expect(report.forwarded).toBeGreaterThan(500)
  expect(report.faulty).toBeGreaterThan(500)
})

it('requests with random tokens pass exactly when their claims fit the rules', async () => {
  const seed = runSeed()
  const { passed, refused, violations } = await fuzzAccess(seed, 300)
  expect(violations, `SEED=${seed}`).toEqual([])
  expect(Math.min(passed, refused)).toBeGreaterThan(20)
})

it('random rules of addresses, passwords, CORS and edits have the effect that the oracle computes', async () => {
  const seed = runSeed()
  const { outcomes, violations } = await fuzzRules(seed, 500)
  expect(violations, `SEED=${seed}`).toEqual([])
  for (const outcome of ['address_denied', 'unauthorized', 'bad_request', 'preflight', 'forwarded'])
    expect(outcomes[outcome] ?? 0, `SEED=${seed}: ${outcome}`).toBeGreaterThan(5)
})
