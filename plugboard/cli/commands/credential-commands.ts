// The commands that API keys (`plugboard key`) and tokens of telephones (`plugboard token`) have in common: `list` and `revoke`.

import type { Command } from 'commander'
import {
  type ApiCommand,
  apiAction,
  type CliContext,
  examples,
  segment,
  WITH_DRY_RUN,
} from '../api/api-command.ts'
import { requireIds } from '../api/require-id.ts'
import { type Column, relative } from '../output/output.ts'

interface CredentialBody {
  readonly id: string
  readonly name: string
  readonly state: string
  readonly expiresAt: string | null
}

export interface CredentialKind<Body extends CredentialBody> {
  /** The name of the command: `key`. */
  readonly command: 'key' | 'token'
  /** In messages: `API key`. The plural has an `s`. */
  readonly noun: string
  readonly path: string
  /** The columns between the state and the expiry. */
  readonly columns: readonly Column<Body>[]
  /** The time of the last use. */
  readonly lastUse: { readonly title: string; readonly value: (row: Body) => string | null }
  /** The text that `list` prints when there are no entries. */
  readonly empty: () => string
  /** The effect of `revoke`: the end of the sentence that the command prints. */
  readonly revoked: string
  /** The help text of `revoke --force`, if the command has this option. */
  readonly force?: string
}

export function defineCredentialList<Body extends CredentialBody>(
  parent: Command,
  context: CliContext,
  { command, noun, path, columns, lastUse, empty }: CredentialKind<Body>,
): void {
  const all: readonly Column<Body>[] = [
    { title: 'name', value: row => row.name },
    { title: 'state', value: row => row.state },
    ...columns,
    { title: 'expires', value: row => relative(row.expiresAt, context.now()) },
    { title: lastUse.title, value: row => relative(lastUse.value(row), context.now()) },
    { title: 'id', value: row => row.id },
  ]
  const list = parent
    .command('list')
    .description(`list ${noun}s, newest first`)
    .option('--active', 'only entries that are not revoked and not expired')
  examples(list, `${command} list --active`)
  apiAction(list, context, async ({ api, output, options }: ApiCommand<{ active?: boolean }>) => {
    await output.rows(await api.list<Body>(path, { active: options.active }), all, empty())
  })
}

export function defineCredentialRevoke<Body extends CredentialBody>(
  parent: Command,
  context: CliContext,
  { command, noun, path, revoked, force }: CredentialKind<Body>,
): void {
  const revoke = parent.command('revoke <id...>').description(`revoke ${noun}s; ${revoked}`)
  if (force !== undefined) revoke.option('--force', force)
  examples(revoke, `${command} revoke 0199c2a4-7c1e-7b2e-9a53-3f6a1d0e8b11`)
  apiAction(
    revoke,
    context,
    async ({ api, output, options }: ApiCommand<{ force?: boolean }>, ids: readonly string[]) => {
      requireIds(ids, command)
      for (const id of ids) {
        const { body } = await api.request<Body>('POST', `${path}/${segment(id)}/revoke`, {
          query: { force: options.force },
        })
        await output.done(body, `${noun} ${body.id} of ${body.name} revoked`)
      }
    },
    WITH_DRY_RUN,
  )
}
