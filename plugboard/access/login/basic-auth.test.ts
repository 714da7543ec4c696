import { beforeAll, expect, test } from 'vitest'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { FailedAttempts } from '../../common/passwords/failed-attempts.ts'
import { hashPassword } from '../../common/passwords/password-hash.ts'
import { BasicAuth, type BasicDependencies } from './basic-auth.ts'
import { CredentialCache } from './credential-cache.ts'
import { WorkLimiter } from './work-limiter.ts'

const CHEAP = { ln: 10, r: 8, p: 1 }
let users: { name: string; hash: string }[]

beforeAll(async () => {
  users = [
    { name: 'ada', hash: await hashPassword('lovelace', CHEAP) },
    { name: 'zoë', hash: await hashPassword('pa:ss', CHEAP) },
    { name: '€'.repeat(128), hash: await hashPassword('€'.repeat(256), CHEAP) },
    { name: 'empty', hash: await hashPassword('', CHEAP) },
    { name: 'odd', hash: await hashPassword('\ufffd', CHEAP) },
    { name: '', hash: await hashPassword('nameless', CHEAP) },
  ]
})

function make(deps: Omit<BasicDependencies, 'cache' | 'broken'>, realm?: string): BasicAuth {
  const rules = realm === undefined ? { users } : { users, realm }
  return new BasicAuth(rules, {
    ...deps,
    cache: new CredentialCache(100),
    broken: error => expect.fail(String(error)),
  })
}

function setUp({
  running = 2,
  waiting = 32,
  burst = 3,
  addressBurst = 50,
  realm = undefined as string | undefined,
} = {}) {
  const clock = new ManualClock()
  const work = new WorkLimiter({ maxRunning: running, maxWaiting: waiting, maxPerOwner: 99 })
  const userFailures = new FailedAttempts({ clock, burst, regainMs: 1000 })
  const addressFailures = new FailedAttempts({ clock, burst: addressBurst, regainMs: 1000 })
  return { clock, work, auth: make({ clock, userFailures, addressFailures, work }, realm) }
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
  [`${'€'.repeat(128)}:${'€'.repeat(256)}`, { user: '€'.repeat(128) }],
])('%s', async (text, outcome) => {
  expect(await setUp().auth.check(credential(text), '10.0.0.1')).toEqual(outcome)
})

test.each(['', '***', 'YWRh', `${'A'.repeat(2000)}`, 'YWRhOmxvdmVsYWNl=x', 'YWRhOmxvdmVsYWNl, x'])(
  'a malformed credential (%j) causes no verification',
  text => expect(setUp().auth.check(text, '10.0.0.1')).toBe('wrong'),
)

test.each([
  ['a name that is empty', ':nameless'],
  ['a password that is empty', 'empty:'],
  ['a password with a control character', 'ada:love\tlace'],
  ['a name that is too long', `${'a'.repeat(129)}:lovelace`],
  ['a password that is too long', `ada:${'a'.repeat(257)}`],
  ['bytes that are not UTF-8', Buffer.from([...Buffer.from('odd:'), 0xff])],
  ['half of a character', Buffer.from([...Buffer.from('odd:'), 0xed, 0xa0, 0x80])],
  ['a byte order mark before the name', '\ufeffada:lovelace'],
])('%s matches no user, for every stored hash, and causes no verification', async (_what, text) => {
  const outcome = setUp().auth.check(Buffer.from(text).toString('base64'), '10.0.0.1')
  // A name with a byte order mark differs from the same name without it.
  expect(await outcome).toBe('wrong')
})

test('a correct password is accepted at once until it was unused for a day', async () => {
  const { auth, clock } = setUp()
  await auth.check(credential('ada:lovelace'), '10.0.0.1')
  expect(auth.check(credential('ada:lovelace'), '10.0.0.1')).toEqual({ user: 'ada' })
  for (let hours = 0; hours < 72; hours += 8) {
    clock.advance(8 * 3_600_000)
    expect(auth.check(credential('ada:lovelace'), '10.0.0.1')).toEqual({ user: 'ada' })
  }
  clock.advance(86_400_001)
  expect(auth.check(credential('ada:lovelace'), '10.0.0.1')).toBeInstanceOf(Promise)
})

test('concurrent requests with the same credential cause one verification', () => {
  const { auth } = setUp({ running: 1, waiting: 0 })
  const first = auth.check(credential('ada:lovelace'), '10.0.0.1')
  expect(auth.check(credential('ada:lovelace'), '10.0.0.2')).toBe(first)
  expect(auth.check(credential('ada:other'), '10.0.0.2')).toBe('busy')
  return expect(first).resolves.toEqual({ user: 'ada' })
})

test('delays a user whose password is guessed, even when all guesses arrive at once, and no other user at the address', async () => {
  const { auth, clock } = setUp({ burst: 3 })
  const guesses = [1, 2, 3, 4, 5].map(guess => auth.check(credential(`ada:${guess}`), '10.0.0.1'))
  expect(guesses.slice(3)).toEqual([{ waitMs: 1000 }, { waitMs: 1000 }])
  expect(await Promise.all(guesses.slice(0, 3))).toEqual(['wrong', 'wrong', 'wrong'])
  expect(await auth.check(credential('zoë:pa:ss'), '10.0.0.1')).toEqual({ user: 'zoë' })
  expect(await auth.check(credential('ada:lovelace'), '10.0.0.2')).toEqual({ user: 'ada' })
  clock.advance(1000)
  expect(auth.check(credential('ada:6'), '10.0.0.1')).toBeInstanceOf(Promise)
})

test('a user who has logged in before never waits because of the guesses of others', async () => {
  const { auth } = setUp({ burst: 3, addressBurst: 5 })
  await auth.check(credential('ada:lovelace'), '10.0.0.1')
  for (const guess of [1, 2, 3, 4, 5]) await auth.check(credential(`ada:${guess}`), '10.0.0.1')
  for (const guess of [1, 2, 3, 4, 5]) await auth.check(credential(`eve:${guess}`), '10.0.0.1')
  expect(auth.check(credential('ada:x'), '10.0.0.1')).toEqual({ waitMs: 1000 })
  expect(auth.check(credential('ada:lovelace'), '10.0.0.1')).toEqual({ user: 'ada' })
})

test('an address that tries many names waits, for existing and unknown names', async () => {
  const { auth } = setUp({ burst: 3, addressBurst: 5 })
  const names = ['ada', 'b', 'c', 'd', 'e']
  for (const name of names) expect(await auth.check(credential(`${name}:x`), '2001:db8::1')).toBe('wrong')
  for (const name of ['f', 'zoë']) {
    expect(auth.check(credential(`${name}:x`), '2001:db8::2')).toEqual({ waitMs: 1000 })
  }
  expect(auth.check(credential('f:x'), '2001:db8:0:1::1')).toBeInstanceOf(Promise)
})

test('an address gets only its share of the queue', async () => {
  const { clock, auth: _auth, ...limits } = setUp()
  const work = new WorkLimiter({ maxRunning: 1, maxWaiting: 4, maxPerOwner: 2 })
  const failures = () => new FailedAttempts({ clock })
  const auth = make({ clock, ...limits, work, userFailures: failures(), addressFailures: failures() })
  const mine = [1, 2, 3].map(guess => auth.check(credential(`ada:${guess}`), '10.0.0.1'))
  expect(mine[2]).toBe('busy')
  expect(await auth.check(credential('ada:lovelace'), '10.0.0.2')).toEqual({ user: 'ada' })
  expect(await Promise.all(mine.slice(0, 2))).toEqual(['wrong', 'wrong'])
})

test('a success does not count as a failure', async () => {
  const { auth } = setUp({ burst: 1 })
  await auth.check(credential('ada:lovelace'), '10.0.0.1')
  expect(await auth.check(credential('zoë:pa:ss'), '10.0.0.1')).toEqual({ user: 'zoë' })
})

test('the challenge names the realm, and asks for UTF-8', () => {
  const { auth } = setUp({ realm: 'a "b" \\c' })
  expect(auth.challenge).toBe('Basic realm="a \\"b\\" \\\\c", charset="UTF-8"')
})
