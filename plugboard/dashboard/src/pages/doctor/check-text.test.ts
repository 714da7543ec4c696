import { expect, it } from 'vitest'
import { commandsOf, pageOf, reportOf } from './check-text.ts'

it('finds the commands of a remedy, without those with a placeholder', () => {
  expect(commandsOf('Run "plugboard key create --name spare --scope admin", or "telephone check".')).toEqual([
    'plugboard key create --name spare --scope admin',
    'telephone check',
  ])
  expect(commandsOf('Run "plugboard token revoke <id>". The log has "certificate not obtained".')).toEqual([])
  expect(commandsOf(null)).toEqual([])
})

it('names the page where a check is corrected', () => {
  expect(pageOf('services.routes')).toEqual(['/routes', 'Routes'])
  expect(pageOf('services.health')).toEqual(['/services', 'Services'])
  expect(pageOf('credentials.adminKeys')).toEqual(['/access?tab=keys', 'API keys'])
  expect(pageOf('machine.disk')).toBeUndefined()
})

it('writes the report as text, with the remedy below its check', () => {
  const items = [
    { id: 'services.telephones', state: 'failed' as const, detail: 'No telephone.', remedy: 'Start one.' },
    { id: 'machine.disk', state: 'ok' as const, detail: 'Enough.', remedy: null },
  ]
  const checkedAt = '2026-11-20T12:00:00.000Z'
  expect(reportOf({ replicaId: 'r1', version: '0.2.0', node: '26.0.0', checkedAt, items })).toBe(
    [
      'Plugboard 0.2.0, Node 26.0.0, replica r1, 2026-11-20T12:00:00.000Z',
      'failed   services.telephones: No telephone.',
      '         → Start one.',
      'ok       machine.disk: Enough.',
      '',
    ].join('\n'),
  )
})
