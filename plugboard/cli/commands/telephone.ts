// `plugboard telephone`: lists the tunnels of telephones on all replicas, and closes those of one telephone.

import type { Command } from 'commander'
import type {
  DisconnectedBody,
  ListedTelephone,
  MissingReplicas,
  TelephonePageBody,
} from '../../admin/api-types.ts'
import { type ApiCommand, apiAction, type CliContext, examples, WITH_DRY_RUN } from '../api/api-command.ts'
import { noteMissing } from '../api/missing-replicas.ts'
import { requireService } from '../api/require-service.ts'
import { type Column, relative } from '../output/output.ts'
import { effectOf } from './process/override-text.ts'

export function defineTelephone(telephone: Command, context: CliContext): void {
  const columns: readonly Column<ListedTelephone>[] = [
    { title: 'name', value: row => row.name },
    {
      title: 'services',
      value: row => row.services.map(service => serviceText(service, context.now())).join(' '),
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
    .description('list the tunnels of telephones that are connected now, on all replicas')
    .option('-s, --service <name>', 'only telephones that serve this service')
    .option('-n, --name <name>', 'only this telephone')
  examples(list, 'telephone list', 'telephone list --service shop')
  apiAction(
    list,
    context,
    async ({ api, output, options }: ApiCommand<{ service?: string; name?: string }>) => {
      const { service, name } = options
      const missing = new Map<string, MissingReplicas[number]>()
      const items = await api.list<ListedTelephone>('/v1/telephones', { service, name }, undefined, page => {
        for (const replica of (page as TelephonePageBody).missingReplicas) missing.set(replica.id, replica)
      })
      if (items.length === 0) await requireService(api, service)
      noteMissing(output, [...missing.values()])
      await output.rows(items, columns, 'No telephones are connected.')
    },
  )
  defineDisconnect(telephone, context)
}

function defineDisconnect(telephone: Command, context: CliContext): void {
  const disconnect = telephone
    .command('disconnect')
    .argument('<name>', 'name of the telephone')
    .description('close all tunnels of a telephone on all replicas; it connects again within seconds')
  examples(disconnect, 'telephone disconnect shop-1')
  apiAction(
    disconnect,
    context,
    async ({ api, output }: ApiCommand<unknown>, name: string) => {
      const path = `/v1/telephones/${encodeURIComponent(name)}/disconnect`
      const { body } = await api.request<DisconnectedBody>('POST', path)
      noteMissing(output, body.missingReplicas)
      await output.row(body, [{ title: 'closed tunnels', value: row => row.tunnels }])
    },
    WITH_DRY_RUN,
  )
}

/**
 * Returns the service with its state: `shop (down)`, `shop (draining by ana)`, `shop (ejected by r1)`, `shop (subset canary stopped by r1)`. A replica of an
 * older version sends no overrides, no ejections and no stops.
 */
function serviceText(
  { service, health, override, ejections = [], subsetStops = [] }: ListedTelephone['services'][number],
  nowMs: number,
): string {
  const states = ejections.flatMap(({ state, replicaId }) =>
    state === 'serving' ? [] : [`${EJECTION_STATES[state]} ${replicaId}`],
  )
  for (const { subset, state, replicaId } of subsetStops)
    states.push(`subset ${subset} ${state} by ${replicaId}`)
  const effect = override ? effectOf(override, nowMs) : ''
  if (effect !== '') states.unshift(effect)
  if (health === 'down') states.unshift(health)
  return states.length === 0 ? service : `${service} (${states.join(', ')})`
}

const EJECTION_STATES = { ejected: 'ejected by', half_open: 'half-open on' } as const
