// `plugboard export`, `plugboard import` and `plugboard diff`: services and routes as a file. An import is one transaction of the
// server: all changes are made, or none. It leaves equal rows unchanged, so it can be repeated.

import { readFile, writeFile } from 'node:fs/promises'
import { text as readStream } from 'node:stream/consumers'
import type { Command } from 'commander'
import type { BundleResultBody, RouteBody, ServiceBody } from '../../admin/api-types.ts'
import { type ApiClient, ApiError } from '../api/api-client.ts'
import { type ApiCommand, apiAction, type CliContext, examples, inFolder } from '../api/api-command.ts'
import { CliError, ExitStatus } from '../cli-error.ts'
import type { Output } from '../output/output.ts'
import type { Bundle } from './bundle.ts'
import { countOf, countText, itemText } from './bundle-text.ts'
import { bundleProgress, Progress } from './progress.ts'
import { problemLines, type SendOptions, sendBundle } from './send-bundle.ts'

interface ExportOptions {
  readonly file?: string
  readonly claimed?: boolean
}

export function defineExport(command: Command, context: CliContext): void {
  command
    .option('-f, --file <path>', 'write to this file instead of the standard output')
    .option(
      '--claimed',
      'include routes that telephones have claimed (telephones claim their routes again anyway)',
    )
  examples(command, 'export > routes.yaml', 'export --output json --file routes.json')
  apiAction(command, context, async ({ api, output, options }: ApiCommand<ExportOptions>) => {
    const { bundleOf, formatBundle } = await import('./bundle.ts')
    const { services, routes } = await present(api)
    const kept = routes.filter(row => options.claimed || row.claimedBy === null)
    // A service that is used only by claims with a lifetime is deleted together with its last claim.
    const used = new Set(kept.map(row => row.service))
    const ending = new Set(routes.filter(row => row.lifetimeSeconds !== null).map(row => row.service))
    const lasting = services.filter(({ name }) => used.has(name) || !ending.has(name))
    const text = formatBundle(bundleOf(lasting, kept), output.format === 'json' ? 'json' : 'yaml')
    if (options.file === undefined) {
      context.terminal.out(text)
      return
    }
    await writeFile(inFolder(context, options.file), text).catch((error: NodeJS.ErrnoException) => {
      throw new CliError(`${options.file} cannot be written (${error.code})`, { cause: error })
    })
    output.note(`${lasting.length} services and ${kept.length} routes written to ${options.file}`)
  })
}

interface ImportOptions {
  readonly dryRun?: boolean
  readonly prune?: boolean
}

const FILE_HELP = 'YAML or JSON as `plugboard export` writes it; - for the standard input'
const PRUNE_HELP =
  'also delete services and routes that are not in the file (claimed routes stay, and rows beyond the limits of the key)'

export function defineImport(command: Command, context: CliContext): void {
  command
    .argument('<file>', FILE_HELP)
    .option('--dry-run', 'only print the changes')
    .option('--prune', PRUNE_HELP)
  examples(command, 'import routes.yaml --dry-run', 'import routes.yaml --prune', 'import - < routes.json')
  apiAction(command, context, async (call: ApiCommand<ImportOptions>, file: string) => {
    const { dryRun = false, prune = false } = call.options
    const result = await sendFile(call, file, { dryRun, prune })
    await writeResult(call.output, result)
  })
}

interface DiffOptions {
  readonly prune?: boolean
  readonly exitCode?: boolean
}

export function defineDiff(command: Command, context: CliContext): void {
  command
    .argument('<file>', FILE_HELP)
    .option('--prune', 'also compare services and routes that are not in the file')
    .option('--exit-code', 'exit with 1 when there are differences, and with 2 after an error')
  examples(command, 'diff routes.yaml', 'diff routes.yaml --prune --exit-code', 'diff routes.yaml --json')
  apiAction(command, context, async (call: ApiCommand<DiffOptions>, file: string) => {
    const { prune = false, exitCode = false } = call.options
    let result: BundleResultBody
    try {
      result = await sendFile(call, file, { dryRun: true, prune })
    } catch (error) {
      // 1 would mean that there are differences.
      throw exitCode && error instanceof Error ? Object.assign(error, { exitCode: 2 }) : error
    }
    await writeResult(call.output, result)
    if (exitCode && countOf(result) > 0) throw new ExitStatus(1)
  })
}

async function sendFile(
  { api, context }: ApiCommand<unknown>,
  file: string,
  options: SendOptions,
): Promise<BundleResultBody> {
  const { parseBundle } = await import('./bundle.ts')
  const text = await readText(context, file)
  return await sendText(api, context, { bundle: parseBundle(text, file), text, file }, options)
}

/** Sends a bundle. Rejects with a CliError that has the lines of problems in the file. */
export async function sendText(
  api: ApiClient,
  context: CliContext,
  { bundle, text, file }: { readonly bundle: Bundle; readonly text: string; readonly file: string },
  options: SendOptions,
): Promise<BundleResultBody> {
  const progress = new Progress(context)
  try {
    return await sendBundle(api, bundle, { ...options, progress: bundleProgress(progress) })
  } catch (error) {
    if (!(error instanceof ApiError) || error.culprits.every(({ pointer }) => !pointer)) throw error
    progress.end()
    throw new CliError(`no change was made.\n${await problemLines(error, text, file)}`, { cause: error })
  } finally {
    progress.end()
  }
}

async function writeResult(output: Output, result: BundleResultBody): Promise<void> {
  const count = countOf(result)
  if (count === 0) return await output.done(result, 'nothing to do')
  const lines = result.items.map(itemText)
  if (result.dryRun) return await output.done(result, lines.join('\n'))
  if (output.format === 'table') for (const line of lines) output.note(line)
  await output.done(result, `${countText(count)} made`)
}

/** Resolves with all services and routes. */
export async function present(api: ApiClient): Promise<{ services: ServiceBody[]; routes: RouteBody[] }> {
  const [services, routes] = await Promise.all([
    api.list<ServiceBody>('/v1/services'),
    api.list<RouteBody>('/v1/routes'),
  ])
  return { services, routes }
}

async function readText(context: CliContext, file: string): Promise<string> {
  try {
    return file === '-' ? await readStream(process.stdin) : await readFile(inFolder(context, file), 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new CliError(`${file} cannot be read (${code})`, { cause: error })
  }
}
