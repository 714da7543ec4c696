import { expect, it } from 'vitest'
import { rawHead } from './raw-head.ts'

it('returns a whole head, even for a status without a standard reason phrase', () => {
  expect(rawHead(103, ['Link', '</a>', 'X-Note', 'caf\xe9'])).toBe(
    'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-Note: caf\xe9\r\n\r\n',
  )
  expect(rawHead(199, [])).toBe('HTTP/1.1 199 Interim\r\n\r\n')
})

it.each([
  [['a b', 'x']],
  [['', 'x']],
  [['a:', 'x']],
  [['a', 'x\r\nSet-Cookie: y']],
  [['a', 'x\0']],
  [['a', 'x\n\nHTTP/1.1 200 OK']],
  [['a', '\u0100']],
])('refuses %j', fields => {
  expect(rawHead(103, fields)).toBeUndefined()
})
