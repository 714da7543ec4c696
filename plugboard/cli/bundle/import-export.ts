// `plugboard export` and `plugboard import`: services and routes as a file. An import can be repeated: it leaves equal rows
// unchanged. Each step sends the version that it was planned for. So a concurrent change of another user makes the step fail
// and is not overwritten.

import { readFile, writeFile } from 'node:fs/promises'
import { text as readStream } from 'node:stream/consumers'
import type { Command } from 'commander'
import type { RouteBody, ServiceBody } from '../../admin/api-types.ts'
import type { ApiClient } from '../api/api-client.ts'
import { type ApiCommand, apiAction, type CliContext, examples, inFolder } from '../api/api-command.ts'
import { CliError } from '../cli-error.ts'

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

export function defineImport(command: Command, context: CliContext): void {
  command
    .argument('<file>', 'YAML or JSON as `plugboard export` writes it; - for the standard input')
    .option('--dry-run', 'only print the changes')
    .option('--prune', 'also delete services and routes that are not in the file (claimed routes stay)')
  examples(command, 'import routes.yaml --dry-run', 'import routes.yaml --prune', 'import - < routes.json')
  apiAction(command, context, async ({ api, output, options }: ApiCommand<ImportOptions>, file: string) => {
    const [{ parseBundle }, { planImport }] = await Promise.all([
      import('./bundle.ts'),
      import('./import-plan.ts'),
    ])
    const bundle = parseBundle(await readText(context, file), file)
    const steps = planImport(bundle, await present(api), options.prune ?? false)
    const report = { dryRun: options.dryRun ?? false, steps: steps.map(step => step.line) }
    if (steps.length === 0) return await output.done(report, 'nothing to do')
    if (options.dryRun) return await output.done(report, report.steps.join('\n'))
    let count = 0
    for (const step of steps) {
      try {
        await api.request(step.method, step.path, {
          ...('body' in step ? { body: step.body } : {}),
          ...('version' in step ? { ifMatch: `"${step.version}"` } : {}),
        })
      } catch (error) {
        if (!(error instanceof CliError)) throw error
        const done = `${count} of ${steps.length} changes were made; correct the file and import it again`
        throw new CliError(`${step.line}: ${error.message} (${done})`, { cause: error })
      }
      count += 1
      if (output.format === 'table') output.note(step.line)
    }
    await output.done(report, `${count} ${count === 1 ? 'change' : 'changes'} made`)
  })
}

async function present(api: ApiClient): Promise<{ services: ServiceBody[]; routes: RouteBody[] }> {
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
