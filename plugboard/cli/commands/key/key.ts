// `plugboard key` and `plugboard signing-key`: the API keys of people and programs, and the keys that sign tokens.

import type { Command } from 'commander'
import type { CreatedKeyBody, KeyBody, SigningKeyBody } from '../../../admin/api-types.ts'
import {
  type ApiCommand,
  apiAction,
  type CliContext,
  collect,
  examples,
  segment,
  WITH_DRY_RUN,
} from '../../api/api-command.ts'
import { type Column, relative } from '../../output/output.ts'
import { type CredentialKind, defineCredentialList, defineCredentialRevoke } from '../credential-commands.ts'
import { defineKeyReset } from './key-reset.ts'

interface CreateOptions {
  readonly name: string
  readonly scope?: readonly string[]
  readonly limitService?: readonly string[]
  readonly limitMount?: readonly string[]
  readonly ttl?: string
}

export function defineKey(key: Command, context: CliContext): void {
  const kind: CredentialKind<KeyBody> = {
    command: 'key',
    noun: 'API key',
    path: '/v1/keys',
    columns: [
      { title: 'scopes', value: row => row.scopes.join(' ') },
      { title: 'limits', value: row => limitsOf(row) },
      { title: 'prefix', value: row => row.prefix },
    ],
    lastUse: { title: 'last used', value: row => row.lastUsedAt },
    empty: () => 'No API keys.',
    revoked: 'Plugboard refuses them at once',
    force: 'also revoke the last active key with the scope admin',
  }

  const create = key
    .command('create')
    .description('create an API key and print it once')
    .requiredOption('-n, --name <name>', 'name of the person or program that uses the key')
    .option(
      '-s, --scope <scope>',
      'right of the key: routes:read, routes:write, services:*, tokens:*, keys:*, changes:read, status:read, metrics:read, traffic:read, traffic:replay, or admin for all; several times',
      collect,
    )
    .option(
      '--limit-service <name>',
      'limit the key to this service: a name, shop-*, or *; several times',
      collect,
    )
    .option(
      '--limit-mount <mount>',
      'limit the key to this mount and all paths under it; several times',
      collect,
    )
    .option(
      '--ttl <duration>',
      'lifetime, such as 90d (default: the key expires with your own key, or never)',
    )
  examples(
    create,
    'key create --name deploy --scope routes:* --scope services:* --ttl 90d',
    'key create --name shop --scope routes:*,tokens:* --limit-service shop-* --limit-mount shop.example.com',
    'key create --name dashboard --scope status:read > dashboard.key',
  )
  apiAction(
    create,
    context,
    async ({ api, output, options }: ApiCommand<CreateOptions>) => {
      const { name, scope: scopes = [], limitService, limitMount, ttl } = options
      const limited = limitService !== undefined || limitMount !== undefined
      const limits = limited ? { services: limitService ?? [], mounts: limitMount ?? [] } : undefined
      if (scopes.length === 0) output.note('note: a key without --scope has no rights')
      const { body } = await api.request<CreatedKeyBody>('POST', '/v1/keys', {
        body: { name, scopes, limits, ttl },
        once: true,
      })
      await output.secret(body, body.key, `API key ${body.id} for ${body.name}. It is shown only once:`)
    },
    WITH_DRY_RUN,
  )

  defineCredentialList(key, context, kind)
  defineKeyReset(key.command('reset'), context)
  defineCredentialRevoke(key, context, kind)
}

/** Returns the limits as a text, such as `shop-* at shop.example.com`. */
function limitsOf({ limits }: KeyBody): string {
  if (limits === null) return ''
  return `${limits.services.join(' ') || 'none'} at ${limits.mounts.join(' ') || 'none'}`
}

export function defineSigningKey(signingKey: Command, context: CliContext): void {
  const list = signingKey.command('list').description('list signing keys, newest first')
  examples(list, 'signing-key list')
  apiAction(list, context, async ({ api, output }: ApiCommand<unknown>) => {
    const { items } = await api.get<{ items: SigningKeyBody[] }>('/v1/signing-keys')
    const columns: readonly Column<SigningKeyBody>[] = [
      { title: 'kid', value: row => row.kid },
      { title: 'state', value: row => row.state },
      { title: 'created', value: row => relative(row.createdAt, context.now()) },
    ]
    await output.rows(items, columns, 'No signing keys.')
  })

  const rotate = signingKey
    .command('rotate')
    .description('sign new tokens with a new key; earlier tokens stay valid')
  examples(rotate, 'signing-key rotate')
  apiAction(
    rotate,
    context,
    async ({ api, output }: ApiCommand<unknown>) => {
      const { body } = await api.request<SigningKeyBody>('POST', '/v1/signing-keys/rotate', { once: true })
      await output.done(body, `signing key ${body.kid} signs new tokens from now on`)
    },
    WITH_DRY_RUN,
  )

  const rm = signingKey
    .command('rm <kid...>')
    .description('remove signing keys; Plugboard then refuses every token that they signed')
  examples(rm, 'signing-key rm 2026-11-20-a1b2')
  apiAction(
    rm,
    context,
    async ({ api, output }: ApiCommand<unknown>, kids: readonly string[]) => {
      for (const kid of kids) {
        await api.request('DELETE', `/v1/signing-keys/${segment(kid)}`)
        await output.done({ kid }, `signing key ${kid} removed`)
      }
    },
    WITH_DRY_RUN,
  )
}
