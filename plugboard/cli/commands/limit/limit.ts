// `plugboard limit list`: lists the rate limits of routes and services with their decisions on all replicas.

import { ownCommand } from '@vera-stack/shared/process/own-command.ts'
import type { Command } from 'commander'
import type { LimitPageBody, LimitRowBody, MissingReplicas } from '../../../admin/api-types.ts'
import { type ApiCommand, apiAction, type CliContext, examples } from '../../api/api-command.ts'
import { noteMissing } from '../../api/missing-replicas.ts'
import { type Column, durationText, type Output } from '../../output/output.ts'

interface ListOptions {
  readonly service?: string
  readonly route?: string
  readonly keys?: boolean
}

export function defineLimit(limit: Command, context: CliContext): void {
  const list = limit
    .command('list')
    .description('list the rate limits of routes and services, with their decisions on all replicas')
    .option('-s, --service <name>', 'only the limits of this service and of its routes')
    .option('-r, --route <mount|id>', 'only the limits of this route and of its service')
    .option('-k, --keys', 'show the keys that have used most of their quota, as hashes')
  examples(list, 'limit list', 'limit list --service shop --keys')
  apiAction(list, context, async ({ api, output, options }: ApiCommand<ListOptions>) => {
    const { service, route, keys = false } = options
    const missing = new Map<string, MissingReplicas[number]>()
    let shares: LimitPageBody['shares'] = []
    const items = await api.list<LimitRowBody>('/v1/limits', { service, route }, undefined, page => {
      const { missingReplicas, shares: latest } = page as LimitPageBody
      for (const replica of missingReplicas) missing.set(replica.id, replica)
      shares = latest
    })
    noteMissing(output, [...missing.values()])
    await output.rows(
      items,
      COLUMNS,
      `No limits. Add one: ${ownCommand('plugboard')} route set <mount> --limit login:5/1m`,
    )
    if (keys) await showKeys(output, items)
    noteShares(output, shares)
  })
}

const COLUMNS: readonly Column<LimitRowBody>[] = [
  { title: 'limit', value: row => row.name },
  { title: 'of', value: ({ route, service }) => (route === null ? `service ${service}` : route.mount) },
  { title: 'quota', value: quotaText },
  { title: 'enforced', value: row => (row.enforce ? 'yes' : 'no') },
  { title: 'admitted', value: row => row.admitted },
  { title: 'rejected', value: row => row.rejected },
  { title: 'would reject', value: row => row.wouldReject },
  { title: 'keys', value: row => row.keys },
  { title: 'fullest key', value: row => usedText(row.hottestKeys[0]) },
]

function quotaText({ limit, windowSeconds, burst, count, scope }: LimitRowBody): string {
  const unit = count === 'responseBytes' ? ' bytes' : ''
  const bursts = burst === limit ? '' : `, burst ${burst}`
  return `${limit}${unit}/${durationText(windowSeconds).replace(' ', '')}${bursts}${scope === 'replica' ? ', each replica' : ''}`
}

type HotKeyBody = LimitRowBody['hottestKeys'][number]
const usedText = (key: HotKeyBody | undefined): string => (key === undefined ? '' : `${key.usedPercent} %`)

async function showKeys(output: Output, items: readonly LimitRowBody[]): Promise<void> {
  const rows = items.flatMap(({ name, hottestKeys }) => hottestKeys.map(key => ({ name, ...key })))
  if (rows.length === 0) return
  await output.section('keys that have used most of their quota (hashes of their values)', rows, [
    { title: 'limit', value: row => row.name },
    { title: 'key', value: row => row.key },
    { title: 'used', value: row => usedText(row) },
    { title: 'replica', value: row => row.replicaId },
  ])
}

/** Writes which replicas count separately: then a client can use its quota on each of them. */
function noteShares(output: Output, shares: LimitPageBody['shares']): void {
  for (const { replicaId, peerId, state } of shares) {
    if (state !== 'open')
      output.note(
        `note: replica ${replicaId} gets no counts of limits from ${peerId} (${state}): both count separately`,
      )
  }
}
