// `plugboard service`: adds, lists, shows, changes and deletes services.

import { ownCommand } from '@vera-stack/shared/process/own-command.ts'
import type { Command } from 'commander'
import type { ServiceBody } from '../../admin/api-types.ts'
import {
  type ApiCommand,
  apiAction,
  type CliContext,
  examples,
  segment,
  WITH_DRY_RUN,
} from '../api/api-command.ts'
import { changeRow, IF_MATCH, type IfMatch, removeRow } from '../api/row-change.ts'
import { usageError } from '../cli-error.ts'
import type { Column, Output } from '../output/output.ts'
import { defineHistory } from './change/change-list.ts'
import { addInspectFlags, givenInspector, type InspectFlags } from './exchange/inspect-flags.ts'
import { keyValues, keyValuesText } from './key-values.ts'
import { addLimitFlags, givenLimits, type LimitFlags, mergedLimits } from './limit/limit-flags.ts'
import { readObjectFile } from './object-file.ts'
import { readProcesses, showProcesses } from './status/service-processes.ts'

const COLUMNS: readonly Column<ServiceBody>[] = [
  { title: 'name', value: row => row.name, canCut: true },
  { title: 'policy', value: row => keyValuesText(row.policy) || 'default', canCut: true },
]
const DETAILS: readonly Column<ServiceBody>[] = [
  ...COLUMNS,
  { title: 'routes', value: row => row.routes },
  { title: 'last request', value: row => row.lastRequestAt },
  { title: 'version', value: row => row.version },
  { title: 'id', value: row => row.id },
  { title: 'created', value: row => row.createdAt },
  { title: 'updated', value: row => row.updatedAt },
  { title: 'deleted', value: row => row.deletedAt },
]
const POLICY_HELP =
  'part of the policy, such as retries=3, responseHeadTimeoutMs=10s, maxRequestBodyBytes=10MB, ' +
  'balancing=round_robin, hostHeader=backend; several times; null: the default'

interface PolicyOptions extends LimitFlags, InspectFlags {
  readonly policy?: readonly string[]
  readonly policyFile?: string
}

// Values are not split at commas, because a value may be JSON.
const collectPairs = (value: string, previous: readonly string[] | undefined) => [...(previous ?? []), value]

function addPolicyFlags(command: Command): void {
  command
    .option('-p, --policy <key=value>', POLICY_HELP, collectPairs)
    .option(
      '--policy-file <path>',
      'file with parts of the policy, as JSON or YAML; --policy replaces its keys',
    )
  addLimitFlags(command)
}

/** Resolves with the merge patch of the policy. Undefined: there are no flags. `before`: reads the policy of the service. */
async function policyPatch(
  flags: PolicyOptions,
  before: () => Promise<Readonly<Record<string, unknown>>>,
  context: CliContext,
): Promise<object | undefined> {
  const { policy: pairs, policyFile } = flags
  const limits = givenLimits(flags)
  const inspect = givenInspector(flags, context.now())
  if ([pairs, policyFile, limits, inspect].every(given => given === undefined)) return undefined
  const file =
    policyFile === undefined
      ? {}
      : await readObjectFile(context, policyFile, { flag: '--policy-file', content: 'a policy' })
  const patch = {
    ...file,
    ...(pairs === undefined ? {} : keyValues(pairs, '--policy')),
    ...(inspect === undefined ? {} : { inspect }),
  }
  if (limits === undefined) return patch
  if (limits === null) return { ...patch, rateLimits: null }
  const has: Readonly<Record<string, unknown>> = { ...(await before()), ...patch }
  return { ...patch, rateLimits: mergedLimits(limits, has.rateLimits) }
}

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
  addPolicyFlags(add)
  examples(
    add,
    'service add shop',
    'service add shop --policy retries=1 --policy idleTimeoutMs=10m',
    'service add shop --policy-file policy.yaml',
  )
  apiAction(
    add,
    context,
    async ({ api, output, options }: ApiCommand<PolicyOptions>, name: string) => {
      const policy = await policyPatch(options, () => Promise.resolve({}), context)
      const { body } = await api.request<ServiceBody>('POST', '/v1/services', {
        body: { name, policy },
        once: true,
      })
      await output.done(body, `service ${body.name} added`)
    },
    WITH_DRY_RUN,
  )

  const list = service
    .command('list')
    .description('list services')
    .option('-q, --search <text>', 'only names that contain this text')
    .option(
      '--sort <order>',
      'name, createdAt or updatedAt; with - before it, the opposite direction: -updatedAt',
    )
    .option('--deleted', 'include deleted services')
  examples(list, 'service list', 'service list --search shop')
  apiAction(
    list,
    context,
    async ({ api, output, options }: ApiCommand<{ search?: string; sort?: string; deleted?: boolean }>) => {
      const { search, sort, deleted } = options
      const query = { q: search, sort, includeDeleted: deleted }
      const rows = await api.list<ServiceBody>('/v1/services', query)
      await output.rows(rows, COLUMNS, `No services. Add one: ${ownCommand('plugboard')} service add <name>`)
    },
  )

  const show = service
    .command('show <name|id>')
    .description('show one service, with its telephone processes and the state of its traffic policy')
  examples(show, 'service show shop', 'service show shop --output json')
  apiAction(show, context, async (call: ApiCommand<unknown>, id: string) => {
    const { api, output } = call
    const row = await api.get<ServiceBody>(`/v1/services/${segment(id)}`, { includeDeleted: true })
    const live = row.deletedAt === null ? await readProcesses(call, row.id) : undefined
    await output.row({ ...row, live: live ?? null }, DETAILS)
    if (live !== undefined) await showProcesses(output, live, context)
  })

  const set = service
    .command('set <name|id>')
    .description('change a service; other parts of its policy stay unchanged')
    .option('--name <name>', 'a new name; telephones that announce the old name still serve the service')
  addPolicyFlags(set)
  addInspectFlags(set)
  set.option('--no-limit', 'remove the limits of the service').option(...IF_MATCH)
  examples(
    set,
    'service set shop --policy retries=0',
    'service set shop --policy retries=null',
    'service set shop --policy-file policy.yaml',
    'service set shop --limit per-client:100/1m --limit-key header:X-API-Key',
    'service set shop --inspect 30m',
    'service set shop --name shop-eu',
  )
  apiAction(
    set,
    context,
    async (call: ApiCommand<PolicyOptions & IfMatch & { name?: string }>, id: string) => {
      const { name } = call.options
      const path = `/v1/services/${segment(id)}`
      let { ifMatch } = call.options
      const before = async () => {
        const { body, etag } = await call.api.request<ServiceBody>('GET', path)
        // The server applies the patch only to the version that the patch was made from.
        ifMatch ??= etag
        return body.policy
      }
      const policy = await policyPatch(call.options, before, context)
      if (name === undefined && policy === undefined)
        throw usageError('nothing to change: give --name, --policy, --policy-file, --limit or --inspect')
      const changing = ifMatch === undefined ? call : { ...call, options: { ifMatch } }
      const row = await changeRow<ServiceBody>(changing, path, { name, policy })
      await call.output.done(row, `service ${row.name} changed (version ${row.version})`)
      if (name !== undefined) noteAliases(call.output, row)
    },
    WITH_DRY_RUN,
  )

  const rm = service
    .command('rm <name|id...>')
    .description('delete services that have no routes')
    .option(...IF_MATCH)
  examples(rm, 'service rm shop')
  apiAction(
    rm,
    context,
    async (call: ApiCommand<IfMatch>, ids: readonly string[]) => {
      for (const id of ids) {
        const row = await removeRow<ServiceBody>(call, `/v1/services/${segment(id)}`)
        await call.output.done(row, `service ${row.name} deleted`)
      }
    },
    WITH_DRY_RUN,
  )

  const restore = service
    .command('restore <name|id>')
    .description('restore a deleted service with its policy; restore its routes after it')
  examples(restore, 'service restore shop')
  apiAction(
    restore,
    context,
    async ({ api, output }: ApiCommand<unknown>, id: string) => {
      const { body } = await api.request<ServiceBody>('POST', `/v1/services/${segment(id)}/restore`)
      await output.done(body, `service ${body.name} restored`)
    },
    WITH_DRY_RUN,
  )
  defineHistory(service, context, 'service', 'name|id', 'shop')
}
