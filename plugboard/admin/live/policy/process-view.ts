// Lists the processes of a service with their state on all replicas. Each replica decides alone which process receives a request, so
// the rows of all replicas are merged: one row for each process, with the differences.

import { z } from '@hono/zod-openapi'
import type { Directory, DirectoryService } from '../../../routes/directory.ts'
import { serviceIdSchema } from '../../../routes/row-id-schemas.ts'
import { PROCESS_STATES } from '../../../telephones/inspection/process-state.ts'
import { shownOverride } from '../../../telephones/inspection/shown-override.ts'
import { instanceOf } from '../../../telephones/pools/line-pool.ts'
import {
  MAX_PROCESSES,
  type ReplicaProcesses,
  remoteProcessesSchema,
  type ServiceProcessBody,
  type ServiceProcessesBody,
} from '../../bodies/policy/service-processes.ts'
import { type AskReplicas, askAll } from '../ask-replicas.ts'
import { namedService } from '../named-service.ts'
import { type ProcessRowsOptions, processRows } from './process-rows.ts'

export interface ProcessViewOptions extends ProcessRowsOptions {
  readonly directory: Pick<Directory, 'service' | 'serviceByName' | 'overrideOf'>
  readonly ask: AskReplicas
}

type ProcessRow = ReplicaProcesses['processes'][number]

const PROCESSES = 'service-processes'
const processesParams = z.object({ service: serviceIdSchema })

export class ProcessView {
  readonly #options: ProcessViewOptions

  constructor(options: ProcessViewOptions) {
    this.#options = options
  }

  /** Returns the response to another replica; undefined for an unknown name. Throws for params that it cannot read. */
  respond(name: string, params: unknown): object | undefined {
    if (name !== PROCESSES) return undefined
    const service = this.#options.directory.service(processesParams.parse(params).service)
    if (service === undefined) throw new Error('this replica does not have the service')
    return processRows(service, this.#options)
  }

  /** Resolves with the processes of a service, by telephone. `text`: the name or the id of the service. */
  async of(text: string): Promise<ServiceProcessesBody> {
    const { directory, ask } = this.#options
    const service = namedService(directory, text)
    const { id, name } = service
    const { values, missing } = await askAll(ask, PROCESSES, { service: id }, remoteProcessesSchema)
    const all = [processRows(service, this.#options), ...values.map(({ value }) => value)]
    const processes = this.#merged(
      service,
      all.flatMap(each => each.processes),
    )
    return {
      service: { id, name },
      balancing: service.policy.balancing,
      items: processes.slice(0, MAX_PROCESSES),
      total: processes.length,
      replicas: all.map(each => each.service),
      missingReplicas: missing,
    }
  }

  #merged({ id, name }: DirectoryService, rows: readonly ProcessRow[]): ServiceProcessBody[] {
    const lines = new Map(
      this.#options.picker.pools.get(name)?.processes.map(process => [instanceOf(process), process]),
    )
    const total = sumOf(rows, 'requests')
    const byProcess = Map.groupBy(rows, ({ telephone, instance }) => `${telephone}\0${instance}`)
    return [...byProcess]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([, ofProcess]) => {
        const { telephone, instance } = ofProcess[0] as ProcessRow
        const known = lines.get(instance)
        const line = known?.lines.at(-1)?.line
        const requests = sumOf(ofProcess, 'requests')
        return {
          telephone,
          instance,
          version: line?.version ?? '',
          labels: { ...line?.labels },
          subset: known?.subset?.name ?? null,
          weight: known?.announcedWeight ?? 0,
          override: shownOverride(this.#options.directory.overrideOf(id, instance)),
          state: leastServing(ofProcess),
          streams: sumOf(ofProcess, 'streams'),
          requests,
          errors: sumOf(ofProcess, 'errors'),
          sharePercent: total === 0 ? 0 : Math.round((1000 * requests) / total) / 10,
          responseMs: meanResponse(ofProcess),
          replicas: ofProcess.map(({ telephone: _telephone, instance: _instance, ...row }) => row),
        }
      })
  }
}

function sumOf(rows: readonly ProcessRow[], field: 'requests' | 'errors' | 'streams'): number {
  return rows.reduce((sum, row) => sum + row[field], 0)
}

/** Returns the state that is last in the list of states. */
function leastServing(rows: readonly ProcessRow[]): ServiceProcessBody['state'] {
  const worst = Math.max(...rows.map(({ state }) => PROCESS_STATES.indexOf(state)))
  return PROCESS_STATES[worst] ?? 'serving'
}

/** Returns the mean of the averages of all replicas, by their requests. A replica without recent requests counts as one. */
function meanResponse(rows: readonly ProcessRow[]): number | null {
  let [sum, weights] = [0, 0]
  for (const { responseMs, requests } of rows) {
    if (responseMs === null) continue
    sum += responseMs * Math.max(1, requests)
    weights += Math.max(1, requests)
  }
  return weights === 0 ? null : Math.round((10 * sum) / weights) / 10
}
