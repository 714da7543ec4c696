import { setImmediate as nextTurn } from 'node:timers/promises'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { expect, it } from 'vitest'
import { ManualClock } from '../../test/support/manual-clock.ts'
import { listed, ok, spanText, unknown, warning } from './finding.ts'
import { runChecks } from './run-checks.ts'

const clock = new ManualClock()

it('sorts the rows by harm, and keeps the order of the list within a state', async () => {
  const rows = await runChecks(
    {
      'machine.disk': () => ok('enough'),
      'process.running': () => ok('runs'),
      'database.clock': () => Promise.resolve(warning('late', 'ntp')),
      'machine.ports': () => unknown('closed'),
      'database.version': () => ({ state: 'failed', detail: 'old', remedy: 'upgrade' }),
    },
    clock,
  )
  expect(rows.map(({ id }) => id)).toEqual([
    'database.version',
    'database.clock',
    'machine.ports',
    'process.running',
    'machine.disk',
  ])
})

it('reports a check that hangs as unknown after 8 s, and does not wait for it', async () => {
  const running = runChecks(
    { 'machine.disk': () => Promise.withResolvers<never>().promise, 'machine.ports': () => ok('open') },
    clock,
  )
  await nextTurn()
  clock.advance(8_000)
  expect(await running).toEqual([
    { id: 'machine.disk', state: 'unknown', detail: 'The check did not end within 8 s.', remedy: null },
    { id: 'machine.ports', state: 'ok', detail: 'open', remedy: null },
  ])
})

it('reports a check that throws as unknown with the reason', async () => {
  const rows = await runChecks(
    {
      'database.clock': () => Promise.reject(new VeraError('database_unavailable', 'no secret of pg')),
      'machine.disk': () => {
        throw new Error('statfs failed')
      },
    },
    clock,
  )
  expect(rows.map(({ state, detail }) => [state, detail])).toEqual([
    ['unknown', 'The check needs the database, which is unavailable.'],
    ['unknown', 'The check could not run: statfs failed.'],
  ])
})

it('lists the first three names without control characters, and the number of the others', () => {
  expect(listed(['a', 'b\u001b', 'c', 'd', 'e'])).toBe('"a", "b�", "c" and 2 more')
  expect(listed(['a'], 200)).toBe('"a" and 199 more')
})

it('writes time spans in their largest unit', () => {
  expect([900, 61_000, -7_200_000, 8 * 86_400_000].map(spanText)).toEqual(['0.9 s', '1 min', '2 h', '8 d'])
})
