// The report of `plugboard doctor` for people: a line for each check, the remedy under it, and the counts of the states.

import { styleText } from 'node:util'
import { printable } from '@vera-stack/shared/text/printable.ts'
import type { CheckBody, DoctorBody } from '../../../admin/api-types.ts'

const COLOURS = { failed: 'red', warning: 'yellow', unknown: 'cyan', ok: 'green' } as const

export function doctorText({ items }: DoctorBody, colours: boolean): string {
  const width = Math.max(0, ...items.map(({ id }) => id.length))
  const lines = items.map(item => {
    const indent = ' '.repeat(width + 11)
    const state = item.state.padEnd(7)
    const painted = colours ? styleText(COLOURS[item.state], state, { validateStream: false }) : state
    const remedy = item.remedy === null ? '' : `\n${indent}→ ${printable(item.remedy, '�')}`
    return `${painted}  ${item.id.padEnd(width)}  ${printable(item.detail, '�')}${remedy}`
  })
  return [...lines, '', countsText(items)].join('\n')
}

function countsText(items: readonly CheckBody[]): string {
  const of = (state: CheckBody['state']): number => items.filter(item => item.state === state).length
  return `${of('failed')} failed, ${of('warning')} with a warning, ${of('unknown')} unknown, ${of('ok')} ok.`
}
