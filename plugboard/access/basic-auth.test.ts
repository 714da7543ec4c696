import { FailedAttempts } from '@vera-stack/shared/failed-attempts.ts'
import { hashPassword } from '@vera-stack/shared/password-hash.ts'
import { beforeAll, expect, test } from 'vitest'
import { ManualClock } from '../../test/support/manual-clock.ts'
import { BasicAuth, type BasicDependencies } from './basic-auth.ts'
import { BoundedWork } from './bounded-work.ts'
import { Remembered } from './remembered.ts'

const CHEAP = { ln: 10, r: 8, p: 1 }
let users: { name: string; hash: string }[]

beforeAll(async () => {
  users = [
    { name: 'ada', hash: await hashPassword('lovelace', CHEAP) },
    { name: 'zoë', hash: await hashPassword('pa:ss', CHEAP) },
  ]
})

function make(deps: Omit<BasicDependencies, 'remembered' | 'broken'>, realm?: string): BasicAuth {
  const rules = realm === undefined ? { users } : { users, realm }
  return new BasicAuth(rules, {
    ...deps,
    remembered: new Remembered(100),
    broken: error => expect.fail(String(error)),
  })
}

function setUp({ running = 2, waiting = 32, burst = 3 } = {}) {
  const clock = new ManualClock()
  const work = new BoundedWork(running, waiting)
  const failures = new FailedAttempts({ clock, burst, regainMs: 1000 })
  return { clock, work, auth: make({ clock, failures, work }) }
}

const credential = (text: string) => Buffer.from(text).toString('base64')

test.each([
  ['ada:lovelace', { user: 'ada' }],
  ['zoë:pa:ss', { user: 'zoë' }],
  ['ada:Lovelace', 'wrong'],
  ['ada:', 'wrong'],
  ['Ada:lovelace', 'wrong'],
  ['eve:lovelace', 'wrong'],
  ['eve:pa:ss', 'wrong'],
])('%s', async (text, outcome) => {
  expect(await setUp().auth.check(credential(text), '10.0.0.1')).toEqual(outcome)
})

test.each(['', '***', 'YWRh', `${'A'.repeat(2000)}`, 'YWRhOmxvdmVsYWNl=x', 'YWRhOmxvdmVsYWNl, x'])(
  'what is no credential (%j) costs nothing',
  text => expect(setUp().auth.check(text, '10.0.0.1')).toBe('wrong'),
)

test('what was right is answered at once from then on, for an hour', async () => {
  const { auth, clock } = setUp()
  await auth.check(credential('ada:lovelace'), '10.0.0.1')
  expect(auth.check(credential('ada:lovelace'), '10.0.0.1')).toEqual({ user: 'ada' })
  clock.advance(3_600_001)
  expect(auth.check(credential('ada:lovelace'), '10.0.0.1')).toBeInstanceOf(Promise)
})

test('the same credential many times at once is verified once', () => {
  const { auth } = setUp({ running: 1, waiting: 0 })
  const first = auth.check(credential('ada:lovelace'), '10.0.0.1')
  expect(auth.check(credential('ada:lovelace'), '10.0.0.2')).toBe(first)
  expect(auth.check(credential('ada:other'), '10.0.0.2')).toBe('busy')
  return expect(first).resolves.toEqual({ user: 'ada' })
})

test('an address that guesses waits, also when it guesses all at once; who is known does not', async () => {
  const { auth, clock } = setUp({ burst: 3 })
  await auth.check(credential('ada:lovelace'), '10.0.0.1')
  const guesses = [1, 2, 3, 4, 5].map(guess => auth.check(credential(`ada:${guess}`), '10.0.0.1'))
  expect(guesses.slice(3)).toEqual([{ waitMs: 1000 }, { waitMs: 1000 }])
  expect(await Promise.all(guesses.slice(0, 3))).toEqual(['wrong', 'wrong', 'wrong'])
  expect(auth.check(credential('ada:lovelace'), '10.0.0.1')).toEqual({ user: 'ada' })
  expect(auth.check(credential('ada:x'), '10.0.0.2')).toBeInstanceOf(Promise)
  clock.advance(1000)
  expect(auth.check(credential('ada:6'), '10.0.0.1')).toBeInstanceOf(Promise)
})

test('a success is no failure', async () => {
  const { auth } = setUp({ burst: 1 })
  await auth.check(credential('ada:lovelace'), '10.0.0.1')
  expect(await auth.check(credential('zoë:pa:ss'), '10.0.0.1')).toEqual({ user: 'zoë' })
})

test('the challenge names the realm, and asks for UTF-8', () => {
  const { clock, work } = setUp()
  const failures = new FailedAttempts({ clock })
  const auth = make({ clock, failures, work }, 'a "b" \\c')
  expect(auth.challenge).toBe('Basic realm="a \\"b\\" \\\\c", charset="UTF-8"')
})
