// `plugboard exchange`: shows a captured exchange, exports it, and sends its request again.

import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import type { ExchangeBody, ReplayedBody } from '../../../admin/api-types.ts'
import {
  type ApiCommand,
  apiAction,
  type CliContext,
  examples,
  inFolder,
  segment,
} from '../../api/api-command.ts'
import { CliError, usageError } from '../../cli-error.ts'
import { diffText, exchangeText, messageText } from './exchange-text.ts'

interface ShowOptions {
  readonly curl?: boolean
  readonly har?: boolean
}

interface ReplayOptions {
  readonly telephone?: string
  readonly method?: string
  readonly target?: string
  readonly header?: readonly string[]
  readonly without?: readonly string[]
  /** False: --no-body. */
  readonly body?: string | false
}

/** Longer than the limit of the server for one replay. */
const REPLAY_TIMEOUT_MS = 45_000

const several = (value: string, before: readonly string[] | undefined) => [...(before ?? []), value]

export function defineExchange(exchange: Command, context: CliContext): void {
  defineShow(exchange, context)
  defineReplay(exchange, context)
}

function defineShow(exchange: Command, context: CliContext): void {
  const show = exchange
    .command('show <id>')
    .description('show a captured exchange, with masked secrets')
    .option('--curl', 'print a curl command, without masked values')
    .option('--har', 'print HAR 1.2')
  const id = '0199a5f2-7c3a-7b1c-9d2e-0f1a2b3c4d5e'
  examples(show, `exchange show ${id}`, `exchange show ${id} --curl`, `exchange show ${id} --har > shop.har`)
  apiAction(show, context, async ({ api, output, options }: ApiCommand<ShowOptions>, text: string) => {
    const { curl = false, har = false } = options
    if (curl && har) throw usageError('--curl and --har cannot be combined: remove one of them')
    const path = `/v1/exchanges/${segment(text)}`
    if (curl) context.terminal.out(await api.text(path, { format: 'curl' }))
    else if (har) context.terminal.out(`${JSON.stringify(await api.get(path, { format: 'har' }), null, 2)}\n`)
    else {
      const found = await api.get<ExchangeBody>(path)
      await output.done(found, `${exchangeText(found)}\n\n${messageText(found)}`.trimEnd())
    }
  })
}

function defineReplay(exchange: Command, context: CliContext): void {
  const replay = exchange
    .command('replay <id>')
    .description('send the request of an exchange again, and compare the responses')
    .option('--telephone <name>', 'send it to this Telephone only')
    .option('--method <method>', 'send another method')
    .option('--target <path>', 'send another path and query, such as /orders?page=2')
    .option('-H, --header <name: value>', 'set a field, such as a masked one; several times', several)
    .option('--without <name>', 'remove a field; several times', several)
    .option('--body <text|@file>', 'send another body')
    .option('--no-body', 'send no body')
  const id = '0199a5f2-7c3a-7b1c-9d2e-0f1a2b3c4d5e'
  examples(
    replay,
    `exchange replay ${id}`,
    `exchange replay ${id} --telephone canary-1`,
    `exchange replay ${id} --header "Authorization: Bearer $TOKEN" --body @order.json`,
  )
  apiAction(replay, context, async ({ api, output, options }: ApiCommand<ReplayOptions>, text: string) => {
    const { telephone, method, target, header, without } = options
    const edits = {
      telephone,
      method: method?.toUpperCase(),
      target,
      fields: fieldsOf(header, without),
      body: await bodyOf(options, context),
    }
    const { body } = await api.request<ReplayedBody>('POST', `/v1/exchanges/${segment(text)}/replay`, {
      body: edits,
      timeoutMs: REPLAY_TIMEOUT_MS,
    })
    await output.done(body, diffText(body))
  })
}

function fieldsOf(
  set: readonly string[] = [],
  removed: readonly string[] = [],
): Record<string, string | null> | undefined {
  if (set.length + removed.length === 0) return undefined
  const pairs = set.map(text => {
    const colon = text.indexOf(':')
    if (colon <= 0) throw usageError(`--header: "${text}" has no name. Write it as "Name: value"`)
    return [text.slice(0, colon).trim(), text.slice(colon + 1).trim()] as const
  })
  return Object.fromEntries([...removed.map(name => [name, null] as const), ...pairs])
}

/** Resolves with undefined for the body of the exchange. */
async function bodyOf({ body }: ReplayOptions, context: CliContext): Promise<string | null | undefined> {
  if (body === undefined) return undefined
  if (body === false) return null
  if (!body.startsWith('@')) return body
  const path = inFolder(context, body.slice(1))
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new CliError(`--body: ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`, {
      cause: error,
    })
  }
}
