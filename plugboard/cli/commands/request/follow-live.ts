// Shows the items of a live stream until the user interrupts the command: requests, or exchanges. Connects again when the connection ends,
// because its replica restarts.

import { setTimeout as delay } from 'node:timers/promises'
import type { MissingReplicas } from '../../../admin/api-types.ts'
import type { ApiCommand } from '../../api/api-command.ts'
import { CliError } from '../../cli-error.ts'
import type { LiveFilters } from './live-filters.ts'

/** Time between two attempts to connect again, ms. */
const RECONNECT_MS = 1000

export interface FollowOptions<Item> {
  /** The path of the event stream. */
  readonly path: string
  readonly filters: LiveFilters
  /** The name of the event of an item. */
  readonly event: string
  readonly show: (item: Item) => Promise<void>
}

export async function followLive<Item>(
  { api, output, context }: ApiCommand<unknown>,
  { path, filters, event: name, show }: FollowOptions<Item>,
): Promise<void> {
  const signal = context.interrupted()
  let wasConnected = false
  while (!signal.aborted) {
    try {
      for await (const { event, data } of api.events(path, { ...filters }, signal)) {
        wasConnected = true
        const value: unknown = JSON.parse(data)
        if (event === name) await show(value as Item)
        else for (const note of notesOf(name, event, value)) output.note(`note: ${note}`)
      }
    } catch (error) {
      // An error response does not pass by itself. A connection does, once there has been one.
      if (!wasConnected || !(error instanceof CliError) || error.name === 'ApiError') throw error
    }
    if (signal.aborted) return
    output.note(`note: the connection ended. ${capital(name)}s are missing until it is open again.`)
    await delay(RECONNECT_MS, undefined, { signal }).catch(() => undefined)
  }
}

function notesOf(name: string, event: string, value: unknown): string[] {
  if (event === 'dropped') {
    const { replicaId, count } = value as { readonly replicaId: string | null; readonly count: number }
    const reason = replicaId === null ? 'this reader is too slow' : `replica ${replicaId} has too many`
    return [`${count} ${name}s are not shown: ${reason}. Use more filters.`]
  }
  if (event !== 'replicas') return []
  const { watched, missing } = value as {
    readonly watched: readonly string[]
    readonly missing: MissingReplicas
  }
  return [
    `following ${watched.length === 0 ? 'no replica' : watched.join(', ')}`,
    ...missing.map(({ id, reason }) => `replica ${id} is not followed: ${reason}`),
  ]
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
