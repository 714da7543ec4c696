// `plugboard edit`: opens services and routes as YAML in the editor of the user, shows the changes, and applies them.
//
//   read rows ─▶ write the file ─▶ editor ─▶ check ─▶ show the changes ─▶ ask ─▶ apply ─▶ delete the file
//                                    ▲         │ problems, as comments in the file
//                                    └─────────┘
//
// The file stays when no change was made, and its path is printed, so no text is lost.

import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { BundleResultBody, RouteBody, ServiceBody } from '../../admin/api-types.ts'
import { type ApiCommand, apiAction, type CliContext, examples, segment } from '../api/api-command.ts'
import { askLine } from '../ask-line.ts'
import { CliError, usageError } from '../cli-error.ts'
import type { Bundle } from './bundle.ts'
import { countOf, countText, itemText } from './bundle-text.ts'
import { present, sendText } from './import-export.ts'
import { sendBundle } from './send-bundle.ts'

interface EditOptions {
  readonly yes?: boolean
}

/** The rows that the user edits. */
type Edited =
  | { readonly kind: 'all' }
  | { readonly kind: 'service'; readonly name: string }
  | { readonly kind: 'route'; readonly name: string }

export function defineEdit(command: Command, context: CliContext): void {
  command
    .argument('[kind]', 'route or service; default: all services and routes')
    .argument('[name]', 'mount or id of the route, or name of the service')
    .option('-y, --yes', 'apply the changes without a question')
  examples(command, 'edit', 'edit route app.example.com/api', 'edit service shop')
  apiAction(command, context, async (call: ApiCommand<EditOptions>, kind?: string, name?: string) => {
    const editor = context.env.VISUAL || context.env.EDITOR
    if (!editor) throw usageError('no editor: set VISUAL or EDITOR, such as EDITOR=vi')
    await edit(call, editor, editedOf(kind, name))
  })
}

function editedOf(kind: string | undefined, name: string | undefined): Edited {
  if (kind === undefined) return { kind: 'all' }
  if (kind !== 'route' && kind !== 'service') {
    throw usageError(`"${kind}" cannot be edited: give route or service, or no argument for all`)
  }
  if (name === undefined) throw usageError(`edit ${kind}: give the ${kind === 'route' ? 'mount' : 'name'}`)
  return { kind, name }
}

async function edit(call: ApiCommand<EditOptions>, editor: string, edited: Edited): Promise<void> {
  const { api, context, output } = call
  const { formatBundle, parseBundle } = await import('./bundle.ts')
  // Read before the rows: a change in between is found as a change since this sequence.
  const { sequence } = await sendBundle(api, { services: [], routes: [] }, { dryRun: true, prune: false })
  const original = formatBundle(await rowsOf(call, edited), 'yaml')
  const folder = await mkdtemp(join(tmpdir(), 'plugboard-edit-'))
  const file = join(folder, NAME)
  const keep = (reason: string, cause?: unknown): CliError =>
    new CliError(`${reason}. No change was made. Your text is in ${file}`, { cause })
  let shown = `${headOf(edited)}${original}`
  /** The last text with problems. */
  let wrong: string | undefined
  let openings = 0
  for (;;) {
    // Only the user may read the file, because options may contain hashes of passwords.
    await writeFile(file, shown, { mode: 0o600 })
    await runEditor(editor, file).catch((error: unknown) => {
      throw keep(`the editor failed: ${error instanceof Error ? error.message : String(error)}`, error)
    })
    const text = await readFile(file, 'utf8')
    if (withoutHead(text) === original) {
      await rm(folder, { recursive: true })
      return output.note('no change')
    }
    const body = withoutProblems(text)
    // The user does not want to correct the text, or the editor is a program that cannot.
    openings += 1
    if (body === wrong || openings > MAX_OPENINGS) throw keep('the text still has the problems of before')
    let bundle: Bundle
    let result: BundleResultBody
    const options = { prune: edited.kind === 'all', since: sequence }
    try {
      bundle = parseBundle(body, NAME)
      refuseOthers(bundle, await rowsOf(call, edited), edited)
      result = await sendText(api, context, { bundle, text: body, file: NAME }, { ...options, dryRun: true })
    } catch (error) {
      if (isFinal(error)) throw keep((error as Error).message, error)
      shown = withProblems(body, (error as Error).message)
      wrong = body
      continue
    }
    if (countOf(result) === 0) {
      await rm(folder, { recursive: true })
      return output.note('no change')
    }
    for (const item of result.items) output.note(itemText(item))
    const answer =
      call.options.yes === true
        ? 'y'
        : await askLine(context, `Apply ${countText(countOf(result))}? (y)es, (n)o, (e)dit `)
    const choice = answer?.trim().toLowerCase().slice(0, 1)
    if (choice === 'e') {
      shown = body
      continue
    }
    if (choice !== 'y') throw keep('the changes were not applied')
    try {
      const applied = await sendText(
        api,
        context,
        { bundle, text: body, file: NAME },
        { ...options, dryRun: false },
      )
      await rm(folder, { recursive: true })
      return await output.done(applied, `${countText(countOf(applied))} made`)
    } catch (error) {
      throw keep((error as Error).message, error)
    }
  }
}

async function rowsOf({ api }: ApiCommand<unknown>, edited: Edited): Promise<Bundle> {
  const { bundleOf } = await import('./bundle.ts')
  if (edited.kind === 'service') {
    return bundleOf([await api.get<ServiceBody>(`/v1/services/${segment(edited.name)}`)], [])
  }
  if (edited.kind === 'route') {
    return bundleOf([], [await api.get<RouteBody>(`/v1/routes/${segment(edited.name)}`)])
  }
  const { services, routes } = await present(api)
  return bundleOf(services, routes)
}

/** Throws when the text of one row has another name. A bundle would create a second row, and leave the first one. */
function refuseOthers(bundle: Bundle, before: Bundle, edited: Edited): void {
  if (edited.kind === 'all') return
  const names = ({ services, routes }: Bundle) => [
    ...services.map(({ name }) => name),
    ...routes.map(({ mount }) => mount),
  ]
  const [own] = names(before)
  const [only, ...others] = names(bundle)
  if (only === own && others.length === 0) return
  const rename =
    edited.kind === 'route'
      ? `plugboard route set ${own} --mount NEW`
      : `plugboard service set ${own} --name NEW`
  throw new CliError(`the file must have ${edited.kind} ${own} alone. To rename it: ${rename}`)
}

/** Problems that no change of the text can correct: of the connection, the credential, or a concurrent change. */
function isFinal(error: unknown): boolean {
  if (!(error instanceof Error)) return true
  const { cause, name } = error as Error & { cause?: { status?: number } }
  if (name === 'SettingsError') return false
  if (name !== 'CliError') return true
  const status = cause?.status
  return cause !== undefined && status !== 400 && status !== 403 && status !== 409
}

async function runEditor(editor: string, file: string): Promise<void> {
  // The variable may have flags, such as `code --wait`. The shell splits them, and the path is a parameter of its own.
  const child = spawn('/bin/sh', ['-c', `${editor} "$1"`, 'sh', file], { stdio: 'inherit' })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  child.once('error', reject)
  child.once('close', (code, signal) => {
    if (code === 0) resolve()
    else reject(new Error(`"${editor}" ended with ${signal ?? `exit code ${code}`}`))
  })
  await promise
}

/** The editor may be a program that writes another wrong text each time. */
const MAX_OPENINGS = 20
const MARK = '#! '
const NAME = 'bundle.yaml'
const PLACE = /bundle\.yaml:(\d{1,9})/

function headOf(edited: Edited): string {
  const what =
    edited.kind === 'all'
      ? 'All services and routes. A row that you remove is deleted.'
      : `The ${edited.kind} ${edited.name}.`
  return `# ${what} Save the file and close the editor to see the changes before they are made.\n`
}

const withoutHead = (text: string): string => withoutProblems(text).replace(/^# [^\n]*\n/, '')

const withoutProblems = (text: string): string =>
  text
    .split('\n')
    .filter(line => !line.startsWith(MARK))
    .join('\n')

/** Adds the problems at the top. Their lines count from there, so that the editor finds them. */
function withProblems(body: string, problems: string): string {
  const lines = problems.split('\n')
  const moved = lines.map(line =>
    line.replace(PLACE, (_, at: string) => `${NAME}:${Number(at) + lines.length}`),
  )
  return moved.map(line => `${MARK}${line}\n`).join('') + body
}
