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
} from '../../api/api-command.ts'
import { requireIds } from '../../api/require-id.ts'
import { type Column, relative } from '../../output/output.ts'
import { defineKeyReset } from './key-reset.ts'

interface CreateOptions {
  readonly name: string
  readonly scope?: readonly string[]
  readonly limitService?: readonly string[]
  readonly limitMount?: readonly string[]
  readonly ttl?: string
}

export function defineKey(key: Command, context: CliContext): void {
  const columns: readonly Column<KeyBody>[] = [
    { title: 'name', value: row => row.name },
    { title: 'state', value: row => row.state },
    { title: 'scopes', value: row => row.scopes.join(' ') },
    { title: 'limits', value: row => limitsOf(row) },
    { title: 'prefix', value: row => row.prefix },
    { title: 'expires', value: row => relative(row.expiresAt, context.now()) },
    { title: 'last used', value: row => relative(row.lastUsedAt, context.now()) },
    { title: 'id', value: row => row.id },
  ]

  const create = key
    .command('create')
    .description('create an API key and print it once')
    .requiredOption('-n, --name <name>', 'name of the person or program that uses the key')
    .option(
      '-s, --scope <scope>',
      'right of the key: routes:read, routes:write, services:*, tokens:*, keys:*, changes:read, status:read, or admin for all; several times',
      collect,
    )
    .option(
      '--limit-service <name>',
      'limit the key to this service: a name, shop-*, or *; several times',
      collect,
    )
    .option(
      '--limit-mount <mount>',
      'limit the key to this mount and all paths beneath it; several times',
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
  apiAction(create, context, async ({ api, output, options }: ApiCommand<CreateOptions>) => {
    const { name, scope: scopes = [], limitService, limitMount, ttl } = options
    const limited = limitService !== undefined || limitMount !== undefined
    const limits = limited ? { services: limitService ?? [], mounts: limitMount ?? [] } : undefined
    if (scopes.length === 0) output.note('note: a key without --scope has no rights')
    const { body } = await api.request<CreatedKeyBody>('POST', '/v1/keys', {
      body: { name, scopes, limits, ttl },
    })
    await output.secret(body, body.key, `API key ${body.id} for ${body.name}. It is shown only once:`)
  })

  const list = key
    .command('list')
    .description('list API keys, newest first')
    .option('--active', 'only entries that are not revoked and not expired')
  examples(list, 'key list --active')
  apiAction(list, context, async ({ api, output, options }: ApiCommand<{ active?: boolean }>) => {
    await output.rows(
      await api.list<KeyBody>('/v1/keys', { active: options.active }),
      columns,
      'No API keys.',
    )
  })

  defineKeyReset(key.command('reset'), context)

  const revoke = key
    .command('revoke <id...>')
    .description('revoke API keys; Plugboard refuses them at once')
    .option('--force', 'also revoke the last active key with the scope admin')
  examples(revoke, 'key revoke 0199c2a4-7c1e-7b2e-9a53-3f6a1d0e8b11')
  apiAction(
    revoke,
    context,
    async ({ api, output, options }: ApiCommand<{ force?: boolean }>, ids: readonly string[]) => {
      requireIds(ids, 'key')
      for (const id of ids) {
        const { body } = await api.request<KeyBody>('POST', `/v1/keys/${segment(id)}/revoke`, {
          query: { force: options.force },
        })
        await output.done(body, `API key ${body.id} of ${body.name} revoked`)
      }
    },
  )
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
  apiAction(rotate, context, async ({ api, output }: ApiCommand<unknown>) => {
    const { body } = await api.request<SigningKeyBody>('POST', '/v1/signing-keys/rotate')
    await output.done(body, `signing key ${body.kid} signs new tokens from now on`)
  })

  const rm = signingKey
    .command('rm <kid...>')
    .description('remove signing keys; Plugboard then refuses every token that they signed')
  examples(rm, 'signing-key rm 2026-11-20-a1b2')
  apiAction(rm, context, async ({ api, output }: ApiCommand<unknown>, kids: readonly string[]) => {
    for (const kid of kids) {
      await api.request('DELETE', `/v1/signing-keys/${segment(kid)}`)
      await output.done({ kid }, `signing key ${kid} removed`)
    }
  })
}
