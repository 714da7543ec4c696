// `plugboard process`: drains or ejects one telephone process of a service, sets its weight, and resumes it. The values are an override,
// a row that all replicas follow. A command changes the override that exists, with its version, so that two operators cannot
// overwrite each other's values without an error.

import type { Command } from 'commander'
import type { ProcessOverrideBody } from '../../../admin/api-types.ts'
import {
  type ApiCommand,
  apiAction,
  type CliContext,
  examples,
  segment,
  WITH_DRY_RUN,
} from '../../api/api-command.ts'
import { requireService } from '../../api/require-service.ts'
import { CliError, usageError } from '../../cli-error.ts'
import { type Column, relative } from '../../output/output.ts'
import { effectOf } from './override-text.ts'

interface Flags {
  readonly reason?: string
  readonly force?: boolean
}

type Values = { readonly weight: number } | { readonly ejectFor: string }

const PATH = '/v1/overrides'
const DEFAULT_EJECTION = '5m'

export function defineProcess(process: Command, context: CliContext): void {
  const command = (name: string, args: string, description: string): Command =>
    process.command(`${name} <service> <process>${args}`).description(description)
  const withFlags = (added: Command): Command =>
    added
      .option('--reason <text>', 'the reason, for other operators')
      .option('--force', 'also the last process of the service that takes requests')

  const drain = withFlags(
    command('drain', '', 'send no new requests to a telephone process; requests in flight end'),
  )
  examples(drain, 'process drain shop laptop', 'process drain shop laptop --reason "new disk"')
  apiAction(
    drain,
    context,
    (call: ApiCommand<Flags>, service: string, id: string) => set(call, service, id, { weight: 0 }),
    WITH_DRY_RUN,
  )

  const resume = command('resume', '', 'end the drain, the ejection and the weight of a telephone process')
  examples(resume, 'process resume shop laptop')
  apiAction(
    resume,
    context,
    async ({ api, output }: ApiCommand<unknown>, service: string, id: string) => {
      const row = await find({ api }, service, id)
      if (row === undefined) {
        throw new CliError(
          `the process "${id}" of ${service} has no override. List the overrides: plugboard process list`,
        )
      }
      await api.request('DELETE', `${PATH}/${segment(row.id)}`, { ifMatch: `"${row.version}"` })
      await output.done(row, `process ${row.telephone} of ${row.service} resumed`)
    },
    WITH_DRY_RUN,
  )

  const eject = withFlags(
    command('eject', '', 'send no requests to a telephone process for a while; it returns by itself'),
  ).option('--for <duration>', 'how long, from 1s to 1h', DEFAULT_EJECTION)
  examples(eject, 'process eject shop laptop', 'process eject shop laptop --for 90s')
  apiAction(
    eject,
    context,
    (call: ApiCommand<Flags & { readonly for: string }>, service: string, id: string) =>
      set(call, service, id, { ejectFor: call.options.for }),
    WITH_DRY_RUN,
  )

  const weigh = withFlags(
    command(
      'weight',
      ' <weight>',
      'set the weight of a telephone process, 0-1000, in place of the announced one',
    ),
  )
  examples(weigh, 'process weight shop laptop 10')
  apiAction(
    weigh,
    context,
    (call: ApiCommand<Flags>, service: string, id: string, text: string) => {
      if (!/^\d{1,4}$/.test(text)) throw usageError(`weight: "${text}" is not a number from 0 to 1000`)
      return set(call, service, id, { weight: Number(text) })
    },
    WITH_DRY_RUN,
  )

  const list = process
    .command('list')
    .description(
      'list the telephone processes that operators have drained or ejected, or whose weight they have set',
    )
    .option('-s, --service <name>', 'only processes of this service')
  examples(list, 'process list', 'process list --service shop')
  apiAction(list, context, async ({ api, output, options }: ApiCommand<{ readonly service?: string }>) => {
    const rows = await api.list<ProcessOverrideBody>(PATH, { service: options.service })
    if (rows.length === 0) await requireService(api, options.service)
    await output.rows(rows, overrideColumns(context), 'No process has an override.')
  })
}

/** Returns the columns of overrides, which `plugboard status` shows too. */
export function overrideColumns(context: CliContext): readonly Column<ProcessOverrideBody>[] {
  return [
    { title: 'service', value: row => row.service },
    { title: 'telephone', value: row => row.telephone },
    { title: 'process', value: row => row.process },
    { title: 'state', value: row => effectOf(row, context.now()) },
    { title: 'since', value: row => relative(row.updatedAt, context.now()) },
    { title: 'reason', value: row => row.reason },
  ]
}

/** Resolves with the override of the process. Rejects when the telephone has several processes with one. */
async function find(
  { api }: Pick<ApiCommand<unknown>, 'api'>,
  service: string,
  id: string,
): Promise<ProcessOverrideBody | undefined> {
  const rows = await api.list<ProcessOverrideBody>(PATH, { service })
  const found = rows.filter(({ process, telephone }) => process === id || telephone === id)
  if (found.length < 2) return found[0]
  const ids = found.map(({ process }) => process).join(', ')
  throw new CliError(
    `the telephone "${id}" has several processes with an override: ${ids}. Give one of these ids.`,
  )
}

async function set(
  { api, output, options: { reason, force }, context }: ApiCommand<Flags>,
  service: string,
  id: string,
  values: Values,
): Promise<void> {
  const known = await find({ api }, service, id)
  const body = { ...values, reason, force }
  const { body: row } =
    known === undefined
      ? await api.request<ProcessOverrideBody>('POST', PATH, {
          body: { ...body, service, process: id },
          once: true,
        })
      : await api.request<ProcessOverrideBody>('PATCH', `${PATH}/${segment(known.id)}`, {
          body,
          ifMatch: `"${known.version}"`,
        })
  await output.done(row, `process ${row.telephone} of ${row.service}: ${effectOf(row, context.now())}`)
}
