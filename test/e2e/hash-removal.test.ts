// The balancing policy `hash` with a real Plugboard (acceptance test T6): when one of ten telephones disconnects, only its keys move, and
// they come back with it. The long form, `npm run soak -- hash-removal`, sends as many keys as a minute allows, and applies the
// bound of the acceptance test.

import { afterAll, beforeAll, expect, it } from 'vitest'
import { connect, type TelephoneHandle } from '../../telephone/index.ts'
import { eventually } from '../support/deadline.ts'
import { send } from '../support/http/http-client.ts'
import { HOST, SERVICE, useStack } from '../support/programs/stack.ts'
import { printFigures, SOAK_MS } from '../support/soak.ts'

const TELEPHONES = 10
const KEYS = 300
/** The part of the keys that may move. 300 keys have a deviation of 1.7 %, and the short form allows four of them. */
const MAX_MOVED = SOAK_MS > 0 ? 0.12 : 0.17

const stack = useStack({ withoutTelephone: true, plugboardArgs: ['--no-access-log'] })
const telephones: TelephoneHandle[] = []
const nameOf = (index: number) => `hashed-${index}`

const start = (index: number) =>
  connect({
    plugboard: stack.plugboard.url,
    token: stack.token,
    name: nameOf(index),
    service: SERVICE,
    target: () => new Response(nameOf(index)),
    tunnels: 1,
    onEvent: () => undefined,
  })

const untilLines = (count: number) =>
  eventually(`${count} lines`, async () => {
    const { lines } = await stack.plugboard.call<{ lines: { serving: number } }>(
      'GET',
      `/v1/match?host=${HOST}`,
    )
    return lines.serving === count || undefined
  })

beforeAll(async () => {
  const policy = { balancing: 'hash', hashOn: { header: 'X-Key' } }
  await stack.plugboard.call('PATCH', `/v1/services/${SERVICE}`, { policy })
  for (let index = 0; index < TELEPHONES; index += 1) telephones.push(await start(index))
  await untilLines(TELEPHONES)
})
afterAll(() => Promise.all(telephones.map(telephone => telephone.close(0))))

/** Returns the telephone of each key. One request at a time, because a telephone with more than its load would be skipped. */
async function telephonesOf(isOver: (keys: number) => boolean): Promise<string[]> {
  const found: string[] = []
  while (!isOver(found.length)) {
    const headers = { 'x-key': `key-${found.length}` }
    const { status, text } = await send({ port: stack.port, host: HOST, headers })
    expect(status).toBe(200)
    found.push(text)
  }
  return found
}

it('only the keys of a telephone that disconnects move, and they come back with it', async () => {
  const endMs = performance.now() + SOAK_MS / 2
  const before = await telephonesOf(keys => keys >= KEYS && performance.now() >= endMs)
  const again = (keys: number) => keys >= before.length
  const [removed] = telephones
  await removed!.close()
  await untilLines(TELEPHONES - 1)
  const after = await telephonesOf(again)
  const moved = before.filter((telephone, key) => telephone !== after[key])
  printFigures({ keys: before.length, moved: moved.length, percent: (100 * moved.length) / before.length })
  expect(new Set(moved)).toEqual(new Set([nameOf(0)]))
  expect(after).not.toContain(nameOf(0))
  expect(moved.length / before.length).toBeLessThanOrEqual(MAX_MOVED)
  telephones[0] = await start(0)
  await untilLines(TELEPHONES)
  if (SOAK_MS === 0) expect(await telephonesOf(again)).toEqual(before)
})
