// Runs each kind of incident once against the bundles, in two minutes. CHAOS_SEED repeats the schedule of an earlier run.
// CHAOS_LOG names a file for the output of all processes. README.md explains the table at the end.

import { join } from 'node:path'
import { expect, it } from 'vitest'
import { runChaos } from './run.ts'

const ROOT = join(import.meta.dirname, '../..')
const { CHAOS_SEED, CHAOS_LOG } = process.env
const seed = CHAOS_SEED === undefined ? Math.floor(Math.random() * 0xffff_ffff) : Number(CHAOS_SEED)

it(`stays within its bounds while each part fails once, seed ${seed}`, async () => {
  const { complaints } = await runChaos({
    seed,
    programs: {
      plugboard: join(ROOT, 'plugboard/dist/main.js'),
      telephone: join(ROOT, 'telephone/dist/main.js'),
    },
    ...(CHAOS_LOG === undefined ? {} : { logFile: CHAOS_LOG }),
    say: text => void process.stdout.write(`${text}\n`),
  })
  expect(complaints).toEqual([])
})
