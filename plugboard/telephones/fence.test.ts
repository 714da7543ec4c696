import { expect, it } from 'vitest'
import { fenceOf, isNewerFence } from './fence.ts'

it('tells the later start of the same subject, and nothing of another one', () => {
  const [older, newer] = [fenceOf(1_700_000_000_000, 'shop'), fenceOf(1_700_000_000_001, 'shop')]
  expect([isNewerFence(newer, older), isNewerFence(older, newer), isNewerFence(older, older)]).toEqual([
    ...[true, false, false],
  ])
  expect(isNewerFence(fenceOf(1_800_000_000_000, 'bank'), older)).toBe(false)
  for (const broken of ['', 'x', '.']) expect(isNewerFence(broken, older)).toBe(false)
  expect(newer).not.toContain('shop')
})
