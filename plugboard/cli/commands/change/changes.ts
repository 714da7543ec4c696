// `plugboard changes`: the change log, as a list or as a stream of new changes.

import type { Command } from 'commander'
import type { ChangeBody } from '../../../admin/api-types.ts'
import { type ApiCommand, apiAction, type CliContext, examples } from '../../api/api-command.ts'
import { usageError } from '../../cli-error.ts'
import { type Column, relative } from '../../output/output.ts'
import { changeText } from './change-text.ts'

interface ChangesOptions {
  readonly limit?: string
  readonly entity?: string
  readonly follow?: boolean
  readonly after?: string
}

export function defineChanges(changes: Command, context: CliContext): void {
  changes
    .option('--limit <n>', 'number of entries (default 50)')
    .option('--entity <kind>', 'only changes of one kind: service, route, token, signing_key or admin_key')
    .option('--after <sequence>', 'only later entries, oldest first')
    .option('-f, --follow', 'show new entries as they arrive')
  examples(changes, 'changes --limit 10', 'changes --entity route', 'changes --follow --output json')
  apiAction(changes, context, async ({ api, output, options }: ApiCommand<ChangesOptions>) => {
    const { entity, follow = false } = options
    const limit = wholeNumber(options.limit ?? '50', '--limit')
    const after = options.after === undefined ? undefined : wholeNumber(options.after, '--after')
    if (follow) {
      if (entity !== undefined) throw usageError('--follow shows all kinds of changes: remove --entity')
      for await (const data of api.events('/v1/changes/stream', { after }, context.interrupted())) {
        const change = JSON.parse(data) as ChangeBody
        await output.event(
          change,
          `${change.at}  ${change.sequence}  ${changeText(change)}  (${change.actor})`,
        )
      }
      return
    }
    if (after !== undefined && entity !== undefined)
      throw usageError('--after and --entity cannot be combined: remove one of them')
    const rows = await api.list<ChangeBody>('/v1/changes', { entity, after }, limit)
    const columns: readonly Column<ChangeBody>[] = [
      { title: 'sequence', value: row => row.sequence },
      { title: 'when', value: row => relative(row.at, context.now()) },
      { title: 'what', value: changeText },
      { title: 'actor', value: row => row.actor },
    ]
    await output.rows(rows, columns, 'No changes.')
  })
}

function wholeNumber(text: string, option: string): number {
  if (!/^\d{1,15}$/.test(text)) throw usageError(`${option}: "${text}" is not a whole number`)
  return Number(text)
}
