import { expect, test } from 'vitest'
import { ManualClock } from '../../../../test/support/manual-clock.ts'
import { asServiceId } from '../../../common/ids/row-ids.ts'
import type { AdminKey } from '../../../database/store/store.ts'
import { InspectionLog } from './inspection-log.ts'

test('asks the database again at the end of its hour, also when the clock of the replica is wrong', async () => {
  // The wall time of this replica is 20 minutes before that of the database.
  const clock = new ManualClock(0, Date.parse('2026-12-01T12:39:59Z'))
  let entries = 0
  const log = new InspectionLog(
    {
      recordRead: async () => {
        entries += 1
        clock.advance(300)
        return 1000
      },
      recordReplay: () => Promise.resolve(),
    },
    clock,
  )
  const service = { id: asServiceId('s1'), name: 'shop' }
  const read = () => log.read(service, { id: 'k1' } as AdminKey, { actor: 'test' })
  await read()
  clock.advance(699)
  await read()
  expect(entries).toBe(1)
  // The time of the query counts too.
  clock.advance(1)
  await read()
  expect(entries).toBe(2)
})
