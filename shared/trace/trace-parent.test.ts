import { expect, it } from 'vitest'
import { flagsOf, isSampled, isTraceParent, spanIdOf, traceIdOf, traceParentText } from './trace-parent.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'
const VALID = `00-${TRACE}-${SPAN}-01`

it.each([
  ['of version 00', VALID, true],
  ['without flags that are set', `00-${TRACE}-${SPAN}-00`, true],
  ['with flags that this version does not know', `00-${TRACE}-${SPAN}-ff`, true],
  ['of a later version', `01-${TRACE}-${SPAN}-01`, true],
  ['of a later version with a further part', `cc-${TRACE}-${SPAN}-01-what-the-future-brings`, true],
  ['of a later version with an empty further part', `cc-${TRACE}-${SPAN}-01-`, true],
  ['of a later version with a tail that is no part', `cc-${TRACE}-${SPAN}-01.tail`, false],
  ['of version 00 with a further part', `${VALID}-extra`, false],
  ['of version 00 with a dash at its end', `${VALID}-`, false],
  ['of version ff', `ff-${TRACE}-${SPAN}-01`, false],
  ['of a version in one digit', `0-${TRACE}-${SPAN}-01`, false],
  ['with a trace id of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`, false],
  ['with a span id of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`, false],
  ['with upper case in its trace id', `00-${TRACE.toUpperCase()}-${SPAN}-01`, false],
  ['with upper case in its flags', `00-${TRACE}-${SPAN}-0A`, false],
  ['with a short trace id', `00-${TRACE.slice(1)}-${SPAN}-01`, false],
  ['with a long trace id', `00-${TRACE}0-${SPAN}-01`, false],
  ['with a short span id', `00-${TRACE}-${SPAN.slice(1)}-01`, false],
  ['with flags in one digit', `00-${TRACE}-${SPAN}-1`, false],
  ['with another separator', VALID.replaceAll('-', '_'), false],
  ['with a space before it', ` ${VALID}`, false],
  ['with a space behind it', `${VALID} `, false],
  ['of two fields joined by a comma', `${VALID}, ${VALID}`, false],
  ['with a digit of another script', VALID.replace('7', '٧'), false],
  ['that is empty', '', false],
  ['of a megabyte', `00-${'a'.repeat(1_000_000)}`, false],
])('a value %s is valid: %s', (_, text, expected) => expect(isTraceParent(text)).toBe(expected))

it('has an id of the trace, an id of the parent span, and flags', () => {
  expect([traceIdOf(VALID), spanIdOf(VALID), flagsOf(VALID)]).toEqual([TRACE, SPAN, 1])
  expect(isSampled(VALID)).toBe(true)
  expect(isSampled(`00-${TRACE}-${SPAN}-02`)).toBe(false)
})

it('keeps the flags of level 2 alone, and is written as version 00', () => {
  const later = `cc-${TRACE}-${SPAN}-ff-more`
  expect(traceParentText(traceIdOf(later), spanIdOf(later), flagsOf(later))).toBe(`00-${TRACE}-${SPAN}-03`)
})
