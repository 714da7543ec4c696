import { silentLogger } from '@vera-stack/shared/log.ts'
import { expect, it } from 'vitest'
import { ManualClock } from '../test/support/manual-clock.ts'
import { MemoryGuard } from './memory-guard.ts'

it('refuses from 90 percent of any limit, and takes again only below 80', () => {
  const clock = new ManualClock()
  let usedBytes = 0
  const read = () => [
    { usedBytes: 1000, limitBytes: 0 },
    { usedBytes, limitBytes: 1000 },
  ]
  const guard = new MemoryGuard({ clock, log: silentLogger, read })
  const seen: boolean[] = []
  for (usedBytes of [899, 900, 850, 800, 799, 899]) {
    clock.advance(500)
    seen.push(guard.short)
  }
  expect(seen).toEqual([false, true, true, true, false, false])
  guard.stop()
  usedBytes = 1000
  clock.advance(5000)
  expect(guard.short).toBe(false)
})
