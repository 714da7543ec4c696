// `plugboard route prune`: lists the routes that had no request for a given time. With --yes, deletes them.

import type { Command } from 'commander'
import type { PrunedRoutesBody, RouteBody } from '../../../admin/api-types.ts'
import { maskedPasswords } from '../../../common/passwords/masked-passwords.ts'
import { type ApiCommand, apiAction, type CliContext, examples } from '../../api/api-command.ts'
import { type Column, durationText, relative } from '../../output/output.ts'
import { useOf } from '../../words.ts'
import { noteClaimants } from './route-claimants.ts'
import { claimOf, lastRequestOf } from './route-text.ts'

interface PruneOptions {
  readonly unusedFor: string
  readonly claimed?: boolean
  readonly yes?: boolean
}

export function defineRoutePrune(command: Command, context: CliContext): void {
  command
    .description('list the routes that had no request for a given time; --yes deletes them')
    .requiredOption(
      '--unused-for <duration>',
      'time without a request, 1h or more; only time in which a replica recorded requests counts',
    )
    .option('--claimed', 'only routes that telephones have claimed')
    .option('--yes', 'delete the routes; without this flag, the command only lists them')
  examples(command, 'route prune --unused-for 30d', 'route prune --unused-for 7d --claimed --yes')
  apiAction(command, context, async (call: ApiCommand<PruneOptions>) => {
    const { api, output, options } = call
    const { unusedFor, claimed: claimedOnly = false, yes = false } = options
    const items: RouteBody[] = []
    let pruning: PrunedRoutesBody
    do {
      const body = { unusedFor, claimedOnly, dryRun: !yes }
      pruning = (await api.request<PrunedRoutesBody>('POST', '/v1/routes/prune', { body })).body
      items.push(...pruning.items.map(maskedPasswords))
      // Each request deletes up to 500 routes. A dry run would return the same routes again.
    } while (yes && pruning.more && pruning.items.length > 0)
    const recorded = durationText(pruning.recordedSeconds)
    if (output.format !== 'table') {
      await output.done({ ...pruning, items }, '')
      if (yes) await noteClaimants(call, items)
      return
    }
    const none = `No route was without a request for ${unusedFor} of recorded time. Replicas have recorded requests for ${recorded}.`
    await output.rows(items, columns(context.now()), none)
    if (items.length === 0) return
    const count = `${items.length}${yes || !pruning.more ? '' : ' or more'} ${items.length === 1 ? 'route' : 'routes'}`
    if (yes) {
      output.note(`${count} deleted`)
      await noteClaimants(call, items)
    } else output.note(`${count} without a request for ${unusedFor} of recorded time; --yes deletes them`)
  })
}

const columns = (now: number): readonly Column<RouteBody>[] => [
  { title: 'mount', value: row => row.mount, canCut: true },
  { title: 'service', value: row => useOf(row.service), canCut: true },
  { title: 'claim', value: claimOf },
  { title: 'last request', value: row => lastRequestOf(row, now), canCut: true },
  { title: 'created', value: row => relative(row.createdAt, now) },
]
