import { expect, it } from 'vitest'
import { labelProblem, labelsOf } from './labels.ts'

it.each(['region=eu', 'a=', 'a=b=c'])('%s is a label', text => expect(labelProblem(text)).toBeUndefined())

it.each(['', 'region', '=eu', `${'k'.repeat(64)}=v`])('"%s" is not a label', text =>
  expect(labelProblem(text)).toBe(`"${text}" is not a label; expected key=value`),
)

it('reads the labels, and keeps an equals sign in a value', () => {
  expect(labelsOf(['region=eu', 'note=a=b', 'empty=', 'region=us'])).toEqual({
    region: 'us',
    note: 'a=b',
    empty: '',
  })
})
