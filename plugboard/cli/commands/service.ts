// `plugboard service`: adds, lists, shows, changes and deletes services.

import { ownCommand } from '@vera-stack/shared/process/own-command.ts'
import type { Command } from 'commander'
import type { ServiceBody } from '../../admin/api-types.ts'
import { type ApiCommand, apiAction, type CliContext, examples, segment } from '../api/api-command.ts'
import { changeRow, IF_MATCH, type IfMatch, removeRow } from '../api/row-change.ts'
import { usageError } from '../cli-error.ts'
import type { Column, Output } from '../output/output.ts'
import { keyValues, keyValuesText } from './key-values.ts'

const COLUMNS: readonly Column<ServiceBody>[] = [
  { title: 'name', value: row => row.name, canCut: true },
  { title: 'policy', value: row => keyValuesText(row.policy) || 'default', canCut: true },
]
const DETAILS: readonly Column<ServiceBody>[] = [
  ...COLUMNS,
  { title: 'version', value: row => row.version },
  { title: 'id', value: row => row.id },
  { title: 'created', value: row => row.createdAt },
  { title: 'updated', value: row => row.updatedAt },
  { title: 'deleted', value: row => row.deletedAt },
]
const POLICY_HELP =
  'part of the policy, such as retries=3, responseHeadTimeoutMs=10s, maxRequestBodyBytes=10MB, ' +
  'balancing=round_robin, hostHeader=backend; several times; null: the default'

interface PolicyOptions {
  readonly policy?: readonly string[]
}

// Values are not split at commas, because a value may be JSON.
const collectPairs = (value: string, previous: readonly string[] | undefined) => [...(previous ?? []), value]

/** Writes a note after a rename, because telephones still announce the old name, which stays as an alias. */
function noteAliases(output: Output, { name, policy }: ServiceBody): void {
  const { aliases } = policy
  if (!Array.isArray(aliases) || aliases.length === 0) return
  output.note(`note: telephones that announce ${aliases.join(', ')} still serve ${name}`)
  output.note(
    `note: when all telephones announce ${name}, remove the old name: plugboard service set ${name} --policy aliases=[]`,
  )
}

export function defineService(service: Command, context: CliContext): void {
  const add = service
    .command('add <name>')
    .description('add a service: a named pool of backends that telephones serve')
    .option('-p, --policy <key=value>', POLICY_HELP, collectPairs)
  examples(add, 'service add shop', 'service add shop --policy retries=1 --policy idleTimeoutMs=10m')
  apiAction(add, context, async ({ api, output, options }: ApiCommand<PolicyOptions>, name: string) => {
    const policy = options.policy === undefined ? undefined : keyValues(options.policy, '--policy')
    const { body } = await api.request<ServiceBody>('POST', '/v1/services', { body: { name, policy } })
    await output.done(body, `service ${body.name} added`)
  })

  const list = service
    .command('list')
    .description('list services')
    .option('--search <text>', 'only names that contain this text')
    .option('--deleted', 'include deleted services')
  examples(list, 'service list', 'service list --search shop')
  apiAction(
    list,
    context,
    async ({ api, output, options }: ApiCommand<{ search?: string; deleted?: boolean }>) => {
      const query = { search: options.search, includeDeleted: options.deleted }
      const rows = await api.list<ServiceBody>('/v1/services', query)
      await output.rows(rows, COLUMNS, `No services. Add one: ${ownCommand('plugboard')} service add <name>`)
    },
  )

  const show = service.command('show <name|id>').description('show one service')
  examples(show, 'service show shop')
  apiAction(show, context, async ({ api, output }: ApiCommand<unknown>, id: string) => {
    await output.row(
      await api.get<ServiceBody>(`/v1/services/${segment(id)}`, { includeDeleted: true }),
      DETAILS,
    )
  })

  const set = service
    .command('set <name|id>')
    .description('change a service; other parts of its policy stay unchanged')
    .option('--name <name>', 'a new name; telephones that announce the old name still serve the service')
    .option('-p, --policy <key=value>', POLICY_HELP, collectPairs)
    .option(...IF_MATCH)
  examples(
    set,
    'service set shop --policy retries=0',
    'service set shop --policy retries=null',
    'service set shop --name shop-eu',
  )
  apiAction(
    set,
    context,
    async (call: ApiCommand<PolicyOptions & IfMatch & { name?: string }>, id: string) => {
      const { name, policy: pairs } = call.options
      if (name === undefined && pairs === undefined)
        throw usageError('nothing to change: give --name or --policy')
      const policy = pairs === undefined ? undefined : keyValues(pairs, '--policy')
      const row = await changeRow<ServiceBody>(call, `/v1/services/${segment(id)}`, { name, policy })
      await call.output.done(row, `service ${row.name} changed (version ${row.version})`)
      if (name !== undefined) noteAliases(call.output, row)
    },
  )

  const rm = service
    .command('rm <name|id...>')
    .description('delete services that have no routes')
    .option(...IF_MATCH)
  examples(rm, 'service rm shop')
  apiAction(rm, context, async (call: ApiCommand<IfMatch>, ids: readonly string[]) => {
    for (const id of ids) {
      const row = await removeRow<ServiceBody>(call, `/v1/services/${segment(id)}`)
      await call.output.done(row, `service ${row.name} deleted`)
    }
  })
}
