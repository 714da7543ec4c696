import { expect, it } from 'vitest'
import { printable } from './printable.ts'

it.each([
  ['a\x1b[31mb\r\n\x85c\x7f', 'a?[31mb???c?'],
  ['abc\u202egpj.exe\u2066\u200f', 'abc?gpj.exe??'],
  ['one\u2028two\u2029three', 'one?two?three'],
  ['Größe 大 👩‍💻', 'Größe 大 👩‍💻'],
])('%j is shown as %j', (text, shown) => {
  expect(printable(text)).toBe(shown)
})
