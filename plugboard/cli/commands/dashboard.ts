// `plugboard dashboard`: prints a one-time link, which logs a person in to the dashboard.

import type { Command } from 'commander'
import type { LoginLinkBody } from '../../admin/api-types.ts'
import { type ApiCommand, apiAction, type CliContext, examples } from '../api/api-command.ts'
import { relative } from '../output/output.ts'

export function defineDashboard(command: Command, context: CliContext): void {
  examples(command, 'dashboard')
  apiAction(command, context, async ({ api, output }: ApiCommand<unknown>) => {
    const { body } = await api.request<LoginLinkBody>('POST', '/v1/session/links')
    await output.row({ url: api.urlOf(body.path), expiresAt: body.expiresAt }, [
      { title: 'link', value: ({ url }) => url },
      { title: 'works', value: () => 'once' },
      { title: 'expires', value: ({ expiresAt }) => relative(expiresAt, context.now()) },
    ])
  })
}
