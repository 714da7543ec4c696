// Adds the override of its process to a tunnel of a telephone, and the stops of all replicas: the ejections of its process, and the
// stops of the subset that selects it. Each replica decides alone, so the caller passes the decisions of all replicas.

import type { Directory, DirectoryService } from '../../routes/directory.ts'
import { shownOverride } from '../../telephones/inspection/shown-override.ts'
import type { ListedService, ListedTelephone } from '../../telephones/listed-telephone.ts'
import { subsetFor } from '../../telephones/subsets/pool-subsets.ts'
import { subsetsOf } from '../../telephones/subsets/service-subsets.ts'
import type { ReplicaEjections } from '../bodies/policy/ejection.ts'

export type Stops = Pick<ReplicaEjections, 'items' | 'subsets'>

/** `serviceByName` finds a service by its name or by a former name that a telephone announces. */
export type StopsDirectory = Pick<Directory, 'serviceByName' | 'overrideOf'>

export function withStops(
  row: ListedTelephone,
  { items, subsets }: Stops,
  directory: StopsDirectory,
): ListedTelephone {
  const ofProcess = items.filter(
    ({ telephone, instance }) => instance === row.instance && telephone === row.name,
  )
  const services = row.services.map(line => {
    const service = directory.serviceByName(line.service)
    const name = service?.name ?? line.service
    return {
      ...line,
      override: shownOverride(service && directory.overrideOf(service.id, row.instance)),
      ejections: ofProcess.flatMap(
        ({ service: ejectedFrom, telephone: _telephone, instance: _instance, ...ejection }) =>
          ejectedFrom === name ? [ejection] : [],
      ),
      subsetStops: service === undefined ? [] : stopsOf(line, service, subsets),
    }
  })
  return { ...row, services }
}

function stopsOf(
  line: ListedService,
  { id, name, policy }: DirectoryService,
  stopped: Stops['subsets'],
): ListedService['subsetStops'] {
  const subsets = subsetsOf(policy, id)
  const selecting = subsets && subsetFor(subsets, line)?.name
  return stopped.flatMap(({ service, subset, replicaId, state, until }) =>
    service === name && subset === selecting && state !== 'serving'
      ? [{ subset, replicaId, state, until }]
      : [],
  )
}
