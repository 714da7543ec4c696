import { silentLogger } from '@vera-stack/shared/log.ts'
import { expect, it } from 'vitest'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { ChangePruner } from './change-pruner.ts'

it('prunes every hour until it is stopped, also after a run that failed', async () => {
  const clock = new ManualClock()
  const asked: number[] = []
  const changes = {
    prune: (keep: number) => {
      asked.push(keep)
      return asked.length === 1 ? Promise.reject(new Error('away')) : Promise.resolve(3)
    },
  }
  const pruner = new ChangePruner({ changes, keep: 1000, clock, log: silentLogger, random: () => 0.5 })
  clock.advance(1_799_000)
  expect(asked).toEqual([])
  clock.advance(1_000)
  clock.advance(3_600_000)
  clock.advance(3_600_000)
  expect(asked).toEqual([1000, 1000, 1000])
  await pruner.stop()
  clock.advance(7_200_000)
  expect(asked).toHaveLength(3)
})
