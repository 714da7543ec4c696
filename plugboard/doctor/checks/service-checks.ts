// The checks of services and routes: services without a telephone, processes that are down or ejected, and routes that this version
// cannot serve.

import type { EjectionsBody, OutagesBody } from '../../admin/api-types.ts'
import { counted, type Finding, failed, listed, ok, unknown, warning } from '../finding.ts'

/** `total`: the number of services that have a route. */
export function checkTelephones({ items, total, missingReplicas }: OutagesBody): Finding {
  const [first] = items
  if (first === undefined) return ok('Each service with a route has a telephone that takes requests.')
  const names = listed(
    items.map(({ service }) => service),
    total,
  )
  const are = total === 1 ? 'service has' : 'services have'
  const note =
    missingReplicas.length === 0 ? '' : ` ${counted(missingReplicas.length, 'replica')} sent no response.`
  return failed(
    `${total} ${are} no telephone that takes requests: ${names}. ${first.service}: ${first.detail}${note}`,
    'Run "telephone check" on the machine of the backend, and read the log of the telephone. "plugboard status" lists all these services.',
  )
}

export interface DownProcess {
  readonly service: string
  readonly telephone: string
  readonly detail: string
}

export function checkHealth(down: readonly DownProcess[]): Finding {
  const [first] = down
  if (first === undefined) return ok('No process of a service is down.')
  const names = [...new Set(down.map(({ service }) => service))]
  return warning(
    `${counted(down.length, 'line')} of telephones ${down.length === 1 ? 'is' : 'are'} down, in the services ${listed(names)}. Telephone "${first.telephone}" of "${first.service}": ${first.detail}.`,
    `Run "plugboard service show ${first.service}" for all processes, and "telephone check" on the machine of the backend.`,
  )
}

export function checkEjections({ items, subsets, breakers, missingReplicas }: EjectionsBody): Finding {
  const ejected = items.filter(({ state }) => state !== 'serving')
  const processes = placed(
    ejected,
    ({ service, instance }) => `${service} ${instance}`,
    ({ service, telephone }) => `${telephone} of ${service}`,
  )
  const stopped = placed(
    subsets,
    ({ service, subset }) => `${service} ${subset}`,
    ({ service, subset }) => `${subset} of ${service}`,
  )
  const open = placed(
    breakers,
    ({ service }) => service,
    ({ service }) => service,
  )
  const parts = [
    processes.length === 0
      ? ''
      : `${counted(processes.length, 'process', 'processes')}: ${listed(processes)}`,
    stopped.length === 0 ? '' : `${counted(stopped.length, 'subset')}: ${listed(stopped)}`,
    open.length === 0 ? '' : `${counted(open.length, 'circuit breaker')}: ${listed(open)}`,
  ].filter(part => part !== '')
  if (parts.length > 0) {
    return warning(
      `Plugboard sends no or fewer requests to ${parts.join('; ')}.`,
      'Run "plugboard status" for the failures of each one, and read the log of the backend.',
    )
  }
  if (missingReplicas.length > 0) {
    const names = listed(missingReplicas.map(({ id }) => id))
    return unknown(`Replicas that sent no response may have ejected processes: ${names}.`)
  }
  return ok('All processes receive requests.')
}

/** More replicas are counted. */
const MAX_REPLICAS = 3

/** Each replica decides by its own requests, so one fault can have an item for each replica. Returns each fault once, with its replicas. */
function placed<Item extends { readonly replicaId: string }>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
  nameOf: (item: Item) => string,
): string[] {
  return [...Map.groupBy(items, keyOf).values()].map(same => {
    const replicas = [...new Set(same.map(({ replicaId }) => replicaId))].sort()
    const where = replicas.length > MAX_REPLICAS ? `${replicas.length} replicas` : replicas.join(', ')
    return `${nameOf(same[0] as Item)} (on ${where})`
  })
}

export interface RouteFaults {
  /** Routes whose service is not in the table. */
  readonly withoutService: readonly string[]
  /** Routes with options that this version cannot read. */
  readonly unusable: readonly string[]
  /** Number of routes that were read. */
  readonly checked: number
  readonly total: number
}

export function checkRoutes({ withoutService, unusable, checked, total }: RouteFaults): Finding {
  if (withoutService.length > 0) {
    return failed(
      `${counted(withoutService.length, 'route')} of ${checked} ${withoutService.length === 1 ? 'leads' : 'lead'} to no service: ${listed(withoutService)}.`,
      'Give each one a service with "plugboard route set MOUNT --service NAME", or delete it.',
    )
  }
  if (unusable.length > 0) {
    return failed(
      `${counted(unusable.length, 'route')} of ${checked} ${unusable.length === 1 ? 'has' : 'have'} options that this version cannot read, and ${unusable.length === 1 ? 'responds' : 'respond'} with 503: ${listed(unusable)}.`,
      'Update this replica, or correct the options: "plugboard route show MOUNT".',
    )
  }
  if (total === 0) return ok('There are no routes.')
  const part =
    checked < total
      ? `The first ${checked} of ${total} routes lead`
      : `${counted(total, 'route')} ${total === 1 ? 'leads' : 'lead'}`
  return ok(`${part} to a service, or ${total === 1 ? 'responds' : 'respond'} without a backend.`)
}
