// `plugboard change list`: the change log with filters, as a list or as a stream of new changes. The history of one row is the same
// list.

import type { Command } from 'commander'
import type { ChangeBody, ResetBody } from '../../../admin/api-types.ts'
import { type ApiCommand, apiAction, type CliContext, examples } from '../../api/api-command.ts'
import { usageError } from '../../cli-error.ts'
import { type Column, type Output, relative } from '../../output/output.ts'
import { changeText } from './change-text.ts'

interface ListOptions {
  readonly limit?: string
  readonly area?: string
  readonly entity?: string
  readonly action?: string
  readonly actor?: string
  readonly route?: string
  readonly service?: string
  readonly follow?: boolean
  readonly after?: string
  readonly before?: string
}

export function defineChangeList(command: Command, context: CliContext): void {
  command
    .option('--limit <n>', 'number of entries (default 50)')
    .option('--area <area>', 'only changes of routes, services, tokens, keys or traffic')
    .option(
      '--entity <kind>',
      'only changes of one kind: service, route, token, signing_key, admin_key or inspection',
    )
    .option(
      '--action <action>',
      'only one action: created, updated, deleted, restored, revoked, retired or purged',
    )
    .option('--actor <actor>', 'only changes of one actor, such as admin-key:<id>')
    .option('--route <mount|id>', 'only changes of one route')
    .option('-s, --service <name|id>', 'only changes of one service')
    .option('--after <sequence>', 'only later entries, oldest first')
    .option('--before <sequence>', 'only earlier entries')
    .option('-f, --follow', 'show new entries as they arrive')
  examples(
    command,
    'change list --limit 10',
    'change list --area routes --after 120',
    'change list --route app.localhost/api',
    'change list --follow --output json',
  )
  apiAction(command, context, async ({ api, output, options }: ApiCommand<ListOptions>) => {
    const { area, entity, action, actor, route, service, follow = false } = options
    const filters = { area, entity, action, actor, route, service }
    const limit = sequenceOf(options.limit, '--limit') ?? 50
    const after = sequenceOf(options.after, '--after')
    const before = sequenceOf(options.before, '--before')
    if (!follow) {
      const rows = await api.list<ChangeBody>('/v1/changes', { ...filters, after, before }, limit)
      return await writeChanges(output, rows, context)
    }
    if (before !== undefined) throw usageError('--follow shows new entries: remove --before')
    const query = { ...filters, after }
    for await (const { event, data } of api.events('/v1/changes/stream', query, context.interrupted())) {
      if (event === 'reset') {
        output.note(resetText(JSON.parse(data) as ResetBody))
        continue
      }
      const change = JSON.parse(data) as ChangeBody
      await output.event(change, `${change.at}  ${change.sequence}  ${changeText(change)}  (${change.actor})`)
    }
  })
}

function resetText({ reason, oldest, newest }: ResetBody): string {
  const why =
    reason === 'restored'
      ? 'the database was restored from a backup'
      : `the log begins with change ${oldest}, because older ones were deleted`
  return `note: changes are missing: ${why}. New changes follow after ${newest}.`
}

/** Defines `history` of a route or a service. `one`: the kind of row, and the name of the filter. */
export function defineHistory(
  parent: Command,
  context: CliContext,
  one: 'route' | 'service',
  argument: string,
  example: string,
): void {
  const history = parent
    .command(`history <${argument}>`)
    .description(`list the changes of one ${one}, newest first; \`change undo\` undoes one of them`)
    .option('--limit <n>', 'number of entries (default 50)')
  examples(history, `${one} history ${example}`)
  apiAction(
    history,
    context,
    async ({ api, output, options }: ApiCommand<{ limit?: string }>, id: string) => {
      const limit = sequenceOf(options.limit, '--limit') ?? 50
      const rows = await api.list<ChangeBody>('/v1/changes', { [one]: id }, limit)
      await writeChanges(output, rows, context)
    },
  )
}

async function writeChanges(
  output: Output,
  rows: readonly ChangeBody[],
  { now }: Pick<CliContext, 'now'>,
): Promise<void> {
  const columns: readonly Column<ChangeBody>[] = [
    { title: 'sequence', value: row => row.sequence },
    { title: 'when', value: row => relative(row.at, now()) },
    { title: 'what', value: changeText },
    { title: 'actor', value: row => row.actor },
  ]
  await output.rows(rows, columns, 'No changes.')
}

/** Parses a whole number. `name`: the option or argument, for errors. */
export function wholeNumber(text: string, name: string): number {
  if (!/^\d{1,15}$/.test(text)) throw usageError(`${name}: "${text}" is not a whole number`)
  return Number(text)
}

const sequenceOf = (text: string | undefined, option: string): number | undefined =>
  text === undefined ? undefined : wholeNumber(text, option)
