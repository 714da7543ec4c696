import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { askLine } from './ask-line.ts'

function asked(input: PassThrough, signal = new AbortController().signal) {
  const texts: string[] = []
  const terminal = { err: (text: string) => texts.push(text) }
  return { texts, line: askLine({ terminal, interrupted: () => signal } as never, 'Apply? ', input) }
}

it('resolves with the line, also without a line break at its end', async () => {
  const one = new PassThrough()
  const { texts, line } = asked(one)
  one.end('yes\nno\n')
  expect([await line, texts]).toEqual(['yes', ['Apply? ']])
  const other = asked(new PassThrough().end('y'))
  expect(await other.line).toBe('y')
})

it('resolves with undefined when the input ends without a line', async () => {
  const input = new PassThrough()
  const { texts, line } = asked(input)
  input.end()
  expect([await line, texts]).toEqual([undefined, ['Apply? ', '\n']])
})

it('resolves with undefined when the user interrupts the command', async () => {
  const interrupt = new AbortController()
  const { line } = asked(new PassThrough(), interrupt.signal)
  interrupt.abort()
  expect(await line).toBeUndefined()
})
