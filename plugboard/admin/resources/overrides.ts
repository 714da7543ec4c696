// Overrides of telephone processes over HTTP: the drain, ejection or weight that an operator sets. An override is a row of the database that all
// replicas follow. It belongs to one process, so it can be created only for a process that is connected now.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { asServiceId, type ServiceId } from '../../common/ids/row-ids.ts'
import type { AdminKey, OverrideValues, ProcessOverride } from '../../database/store/store.ts'
import { storedText } from '../../database/store/values/stored-text.ts'
import type { Line } from '../../registry/line.ts'
import type { DirectoryService } from '../../routes/directory.ts'
import { refuseBeyondLimits } from '../access/key-limits.ts'
import type { AdminDependencies, AdminEnv } from '../admin-env.ts'
import {
  newOverrideSchema,
  overrideChangeSchema,
  processOverrideBody,
  processOverrideSchema,
} from '../bodies/policy/process-override.ts'
import { findService } from '../live/named-service.ts'
import { addResource, counted } from './resource.ts'

/** Processes that an error message lists. */
const MAX_LISTED = 5

type Values = Pick<OverrideValues, 'weight' | 'ejectMs'>

export function addOverrideOperations(app: OpenAPIHono<AdminEnv>, deps: AdminDependencies): void {
  const { store, directory } = deps
  const nameOf = (serviceId: ServiceId): string => directory.service(serviceId)?.name ?? serviceId
  const bodyOf = (row: ProcessOverride) => processOverrideBody(row, nameOf(row.serviceId))
  const refuseBeyond = (key: AdminKey, service: string): void =>
    refuseBeyondLimits(key, { services: [service] })
  addResource(app, {
    names: {
      path: '/v1/overrides',
      tag: 'services',
      component: 'ProcessOverride',
      operationId: ['ProcessOverride', 'ProcessOverrides'],
      one: 'override',
      many: 'overrides',
      title: ['the override of a telephone process', 'the overrides of telephone processes'],
    },
    id: storedText(1, 255),
    body: processOverrideSchema,
    store: {
      get: store.processOverrides.get,
      list: counted({
        list: ({ service, ...query }) =>
          store.processOverrides.list({ ...query, serviceId: idOf(deps, service) }),
        count: ({ service, ...query }) =>
          store.processOverrides.count({ ...query, serviceId: idOf(deps, service) }),
      }),
    },
    show: rows => rows.map(bodyOf),
    list: {
      order: 'oldest first',
      filters: {
        service: storedText(1, 63, 'shop')
          .optional()
          .openapi({ description: 'Only processes of this service: its name or its id.' }),
      },
    },
    create: {
      summary: 'Drain or eject a telephone process, or set its weight',
      description:
        'Applies on all replicas within a second, and until the process ends. An ejected process gets requests only while no other ' +
        'process of the service takes them. The last process that takes requests needs `force`.',
      fails: ['not_found'],
      input: newOverrideSchema,
      body: processOverrideSchema,
      replay: bodyOf,
      run: async ({ service: text, process, ejectFor: ejectMs, force, ...values }, { key, by }) => {
        const service = serviceOf(deps, text)
        refuseBeyond(key, service.name)
        const line = processLine(deps, service, process)
        const { instance, telephone } = line
        const row = await store.processOverrides.create(
          {
            ...values,
            ejectMs,
            setBy: key.name,
            serviceId: service.id,
            instance,
            telephone,
            others: force === true ? undefined : othersOf(deps, service, instance, { ...values, ejectMs }),
          },
          by,
        )
        return { row, body: bodyOf(row) }
      },
    },
    change: {
      description: 'The last process that takes requests needs `force`.',
      fails: ['conflict'],
      input: overrideChangeSchema,
      run: async ({ id: rowId, ifVersion, read }, { ejectFor: ejectMs, force, ...values }, { key, by }) => {
        const { serviceId, instance } = await read()
        refuseBeyond(key, nameOf(serviceId))
        const service = directory.service(serviceId)
        const others =
          force === true || service === undefined
            ? undefined
            : othersOf(deps, service, instance, { ...values, ejectMs })
        const changed = { ...values, ejectMs, setBy: key.name, others }
        return await store.processOverrides.update(rowId, changed, { ...by, ifVersion })
      },
    },
    remove: {
      summary: 'Resume a telephone process: delete its override',
      run: async ({ id: rowId, ifVersion, read }, { key, by }) => {
        refuseBeyond(key, nameOf((await read()).serviceId))
        await store.processOverrides.remove(rowId, { ...by, ifVersion })
      },
    },
  })
}

/** The id of no service: an unknown name in a filter selects no rows, as in the list of routes. */
const NO_ID = asServiceId('00000000-0000-0000-0000-000000000000')

function idOf(deps: AdminDependencies, text: string | undefined): ServiceId | undefined {
  return text === undefined ? undefined : (findService(deps.directory, text)?.id ?? NO_ID)
}

function serviceOf({ directory }: AdminDependencies, text: string): DirectoryService {
  const service = findService(directory, text)
  if (service !== undefined) return service
  throw new VeraError('not_found', `There is no service "${text}". List them: plugboard service list`)
}

/** Returns a line of the process. `text`: the id of the process, or the name of its telephone. */
function processLine({ lines }: AdminDependencies, service: DirectoryService, text: string): Line {
  const all = lines.linesOf(service)
  const byId = all.find(({ instance }) => instance === text)
  if (byId !== undefined) return byId
  const named = new Map(
    all.filter(({ telephone }) => telephone === text).map(line => [line.instance, line] as const),
  )
  const [only] = named.values()
  if (only !== undefined && named.size === 1) return only
  if (named.size > 1) {
    const ids = [...named.keys()].slice(0, MAX_LISTED).join(', ')
    throw new VeraError(
      'invalid_request',
      `The telephone "${text}" has ${named.size} processes: ${ids}. Give the id of one of them.`,
      { field: 'process' },
    )
  }
  const known = [...new Set(all.map(({ telephone }) => telephone))].slice(0, MAX_LISTED).join(', ')
  const present = known === '' ? 'No telephone serves it now.' : `It is served by ${known}.`
  throw new VeraError(
    'not_found',
    `The service ${service.name} has no process "${text}" now. ${present} List the processes: plugboard service show ${service.name}`,
  )
}

/**
 * Returns the other processes of the service that take requests. Undefined when the values do not stop the requests of the process,
 * or when it takes none now.
 */
function othersOf(
  { lines }: AdminDependencies,
  service: DirectoryService,
  instance: string,
  { weight, ejectMs }: Values,
): string[] | undefined {
  if (weight !== 0 && typeof ejectMs !== 'number') return undefined
  const taking = new Set<string>()
  for (const { line, state } of lines.statesOf(service)) {
    if (state === 'serving' || state === 'full') taking.add(line.instance)
  }
  return taking.delete(instance) ? [...taking] : undefined
}
