import { expect, test } from 'vitest'
import { HeaderEdits } from './header-edits.ts'

const values = { clientAddress: '192.0.2.7', host: 'app.test', requestId: 'r-1' }

test('remove, then set, then add; names have no case, and no other spelling', () => {
  const edits = new HeaderEdits({
    remove: ['X-Gone'],
    set: { 'X-Role': 'reader', 'X-Trace': '{requestId} of {host} for {clientAddress}!' },
    add: { 'X-Gone': 'back', 'X-More': ['1', '2'] },
  })
  const fields = [
    'x-gone',
    'a',
    'X_Role',
    'admin',
    'X.ROLE',
    'admin',
    'x-role',
    'admin',
    'X-More',
    '0',
    'X-Gone',
    'b',
  ]
  edits.apply(fields, values)
  expect(fields).toEqual([
    'X-More',
    '0',
    'X-Role',
    'reader',
    'X-Trace',
    'r-1 of app.test for 192.0.2.7!',
    'X-Gone',
    'back',
    'X-More',
    '1',
    'X-More',
    '2',
  ])
})

test('keeps braces that are not a placeholder', () => {
  const fields: string[] = []
  new HeaderEdits({ set: { 'Report-To': '{"group":"a"} {}' } }).apply(fields, values)
  expect(fields).toEqual(['Report-To', '{"group":"a"} {}'])
})
