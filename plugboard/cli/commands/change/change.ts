// `plugboard change`: lists and undoes changes.

import type { Command } from 'commander'
import type { UndoneBody } from '../../../admin/api-types.ts'
import { type ApiCommand, apiAction, type CliContext, examples, WITH_DRY_RUN } from '../../api/api-command.ts'
import { defineChangeList, wholeNumber } from './change-list.ts'
import { changeText } from './change-text.ts'

export function defineChange(change: Command, context: CliContext): void {
  const list = change.command('list').description('list changes; --follow shows new ones as they arrive')
  defineChangeList(list, context)

  const undo = change
    .command('undo <sequence>')
    .description('write a route or a service as it was before a change')
    .option(
      '--through <sequence|latest>',
      'undo all changes from this one back to <sequence>, in one transaction',
    )
  examples(undo, 'change undo 128', 'change undo 120 --through latest')
  apiAction(
    undo,
    context,
    async ({ api, output, options }: ApiCommand<{ through?: string }>, text: string) => {
      const sequence = wholeNumber(text, 'sequence')
      const { through } = options
      if (through !== undefined && through !== 'latest') wholeNumber(through, '--through')
      const path = `/v1/changes/${sequence}/undo`
      const { body } = await api.request<UndoneBody>('POST', path, { query: { through } })
      for (const skipped of body.skipped) output.note(`change ${skipped.sequence} stays: ${skipped.reason}`)
      const lines = body.changes.map(each => `${each.sequence}  ${changeText(each)}`)
      await output.done(body, lines.join('\n'))
    },
    WITH_DRY_RUN,
  )
}
