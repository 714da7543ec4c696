// The filters of requests that `plugboard logs` and `plugboard inspect` share.

import type { Command } from 'commander'

export interface LiveFilters {
  readonly route?: string
  readonly status?: string
  readonly telephone?: string
  readonly replica?: string
  readonly method?: string
  readonly path?: string
}

export function addFilterFlags(command: Command): void {
  command
    .option('--route <mount|id>', 'only requests of this route: its mount or its id')
    .option('--status <list>', 'only these statuses, such as 5xx, 404 or 500-503')
    .option('--telephone <name>', 'only requests whose last attempt went to this Telephone')
    .option('--replica <name>', 'only requests that this replica received')
    .option('--method <method>', 'only requests with this method')
    .option('--path <prefix>', 'only requests whose path begins with this text')
}

/** Returns the filters that were given. */
export function filtersOf({ route, status, telephone, replica, method, path }: LiveFilters): LiveFilters {
  const given = { route, status, telephone, replica, method, path }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}
