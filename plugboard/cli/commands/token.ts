// `plugboard token`: issues, lists and revokes the credentials of telephones.

import { MAX_TOKEN_LIMIT } from '@vera-stack/shared/claims.ts'
import { ownCommand } from '@vera-stack/shared/process/own-command.ts'
import { type Command, InvalidArgumentError } from 'commander'
import type { IssuedTokenBody, TokenBody } from '../../admin/api-types.ts'
import {
  type ApiCommand,
  apiAction,
  type CliContext,
  collect,
  examples,
  WITH_DRY_RUN,
} from '../api/api-command.ts'
import { relative } from '../output/output.ts'
import { type CredentialKind, defineCredentialList, defineCredentialRevoke } from './credential-commands.ts'

interface IssueOptions {
  readonly name: string
  readonly service?: readonly string[]
  readonly mount?: readonly string[]
  readonly ttl?: string
  readonly maxTunnels?: number
  readonly maxClaims?: number
  readonly maxAnnouncements?: number
  /** The target; true when the flag has no value. */
  readonly command?: string | true
}

const DEFAULT_TARGET = '3000'

/** Returns the used number, and the limit of the token if it has one. */
const ofLimit = (used: number, limit: number | null): string =>
  limit === null ? String(used) : `${used} of ${limit}`

function wholeNumber(text: string): number {
  if (/^\d{1,7}$/.test(text)) return Number(text)
  throw new InvalidArgumentError(`Give a whole number up to ${MAX_TOKEN_LIMIT}, such as 10.`)
}

export function defineToken(token: Command, context: CliContext): void {
  const kind: CredentialKind<TokenBody> = {
    command: 'token',
    noun: 'token',
    path: '/v1/tokens',
    columns: [
      { title: 'services', value: row => row.services.join(' ') },
      { title: 'mounts', value: row => row.mounts.join(' ') },
      { title: 'tunnels', value: row => ofLimit(row.usage.tunnels, row.limits.tunnels) },
      { title: 'claims', value: row => ofLimit(row.usage.claims, row.limits.claims) },
    ],
    lastUse: { title: 'last seen', value: row => row.lastSeenAt },
    empty: () =>
      `No tokens. Issue one: ${ownCommand('plugboard')} token issue --name <name> --service <name>`,
    revoked: 'their tunnels close at once',
  }

  const issue = token
    .command('issue')
    .description('issue a token for a telephone and print it once')
    .requiredOption('-n, --name <name>', 'name of the telephone')
    .option(
      '-s, --service <name>',
      'service that the telephone may serve: a name, shop-*, or *; several times',
      collect,
    )
    .option(
      '-m, --mount <mount>',
      'mount that the telephone may claim, with all paths under it; several times',
      collect,
    )
    .option('--ttl <duration>', 'lifetime (default 30d); a connected telephone renews its token')
    .option(
      '--max-tunnels <count>',
      'tunnels at once, on all replicas; allow one more than the telephones hold (default: tokenMaxTunnels)',
      wholeNumber,
    )
    .option(
      '--max-claims <count>',
      'routes that telephones with this token may claim (default: tokenMaxClaims)',
      wholeNumber,
    )
    .option(
      '--max-announcements <count>',
      'announcements and token renewals within a minute, on one replica (default: tokenMaxAnnouncements)',
      wholeNumber,
    )
    .option(
      '--command [target]',
      'print the command that starts a Telephone with the token (default target: 3000)',
    )
  examples(
    issue,
    "token issue --name ada --service 'tunnel-*' --mount '*.t.example.com' --command",
    'token issue --name shop-1 --service shop --mount app.localhost/api',
    'token issue --name shop-1 --service shop --ttl 24h > shop-1.token && chmod 600 shop-1.token',
    'token issue --name device-7 --service device --mount device-7.example.com --max-tunnels 3 --max-claims 1',
  )
  apiAction(
    issue,
    context,
    async ({ api, output, options }: ApiCommand<IssueOptions & { dryRun?: boolean }>) => {
      const { name, service: services = [], mount: mounts = [], ttl } = options
      const { maxTunnels: tunnels, maxClaims: claims, maxAnnouncements: announcementsPerMinute } = options
      if (services.length === 0 && mounts.length === 0) {
        output.note('note: a telephone with this token can serve no service: give --service or --mount')
      }
      const body = { name, services, mounts, limits: { tunnels, claims, announcementsPerMinute }, ttl }
      const { body: row } = await api.request<IssuedTokenBody>('POST', '/v1/tokens', { body, once: true })
      const until = relative(row.expiresAt, context.now())
      const note = `token ${row.id} for ${row.name}, expires ${until}. It is shown only once:`
      if (options.command === undefined || options.dryRun === true)
        return await output.secret(row, row.token, note)
      const { telephoneCommand } = await import('../telephone-command.ts')
      const target = options.command === true ? DEFAULT_TARGET : options.command
      const command = await telephoneCommand(row, target)
      await output.secret({ ...row, command }, command, note)
    },
    WITH_DRY_RUN,
  )

  defineCredentialList(token, context, kind)
  defineCredentialRevoke(token, context, kind)
}
