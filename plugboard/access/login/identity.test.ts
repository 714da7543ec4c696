import { expect, test } from 'vitest'
import { identityOfToken } from './identity.ts'

function identityOf(claims: object) {
  const [header, body] = [{ alg: 'none' }, claims].map(part =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  )
  return identityOfToken(`${header}.${body}.`)
}

test.each([
  ['ada', 'ada'],
  [7, '\x007'],
  [['ada'], '\0["ada"]'],
  [{ id: 7 }, '\0{"id":7}'],
  [true, '\0true'],
  ['\x007', '\0"\\u00007"'],
  ['\x00192.0.2.1', '\0"\\u0000192.0.2.1"'],
  [null, undefined],
  [undefined, undefined],
])('the user of a token with the subject %j is a text that no other subject has', (sub, user) => {
  const identity = identityOf({ sub })
  expect([identity.user, identity.claim('/sub')]).toEqual([user, user])
})
