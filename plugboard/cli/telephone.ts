// `plugboard telephone list`: the tunnels of telephones, on all replicas.

import type { Command } from 'commander'
import { type ApiCommand, apiAction, type CliContext, examples } from './api-command.ts'
import { type Column, relative } from './output.ts'
import { requireService } from './require-service.ts'
import type { TelephoneRow } from './rows.ts'

export function defineTelephone(telephone: Command, context: CliContext): void {
  const columns: readonly Column<TelephoneRow>[] = [
    { title: 'name', value: row => row.name },
    {
      title: 'services',
      value: row =>
        row.services
          .map(({ service, health }) => (health === 'up' ? service : `${service} (${health})`))
          .join(' '),
    },
    { title: 'streams', value: row => row.streams },
    { title: 'rtt', value: row => (row.rttMs === null ? '' : `${row.rttMs.toFixed(1)} ms`) },
    { title: 'from', value: row => row.remoteAddress },
    { title: 'connected', value: row => relative(row.connectedAt, context.now()) },
    { title: 'agent', value: row => row.agent },
    { title: 'replica', value: row => row.replicaId },
    { title: 'tunnel', value: row => row.id },
  ]
  const list = telephone
    .command('list')
    .description('list the tunnels of telephones that are connected now')
    .option('-s, --service <name>', 'only those that serve it')
    .option('-n, --name <name>', 'only this telephone')
  examples(list, 'telephone list', 'telephone list --service shop')
  apiAction(
    list,
    context,
    async ({ api, output, options }: ApiCommand<{ service?: string; name?: string }>) => {
      const { service, name } = options
      const { items } = await api.get<{ items: TelephoneRow[] }>('/v1/telephones', { service, name })
      if (items.length === 0) await requireService(api, service)
      await output.rows(items, columns, 'No telephones are connected.')
    },
  )
}
