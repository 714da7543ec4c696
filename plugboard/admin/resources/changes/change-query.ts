// The filters of the change log as parameters: one schema for the list and for the event stream.

import { z } from '@hono/zod-openapi'
import { VeraError } from '@vera-stack/shared/errors.ts'
import { parseMount } from '@vera-stack/shared/mounts.ts'
import { asRouteId, asServiceId, type RouteId } from '../../../common/ids/row-ids.ts'
import type { ReadPosition } from '../../../database/store/changes/log-gap.ts'
import {
  CHANGE_ACTIONS,
  CHANGE_ENTITIES,
  type ChangeEntity,
  type ChangeFilters,
  type Store,
} from '../../../database/store/store.ts'
import { isId } from '../../../database/store/values/input.ts'
import { storedText } from '../../../database/store/values/stored-text.ts'

/** A sequence as text. Parses to a number. */
export const sequenceText = z
  .string()
  .regex(/^\d{1,15}$/, 'is not a sequence: use the `sequence` of a change')
  .transform(Number)
  .openapi({ type: 'integer', minimum: 0, maximum: 999_999_999_999_999 })

const POSITION = /^\d{1,15}(?:\.[0-9a-f-]{36})?$/

/** An id of an event of the stream, or a sequence. The part after the point is the id of the change. */
export const positionText = z
  .string()
  .regex(POSITION, 'is not a position: use the id of an event, or a sequence')
  .transform((text): ReadPosition => {
    const [sequence, changeId] = text.split('.')
    return { sequence: Number(sequence), changeId }
  })
  .openapi({ type: 'string', pattern: POSITION.source, example: '120' })

export const positionOf = ({ sequence, changeId }: ReadPosition): string =>
  changeId === undefined ? String(sequence) : `${sequence}.${changeId}`

/** The kinds of rows in each area of scopes. */
const AREAS = {
  routes: ['route'],
  services: ['service', 'process_override'],
  tokens: ['token'],
  keys: ['admin_key', 'signing_key'],
  traffic: ['inspection'],
} as const satisfies Record<string, readonly ChangeEntity[]>

export const changeFilterQuery = {
  area: z
    .enum(Object.keys(AREAS) as [keyof typeof AREAS])
    .optional()
    .openapi({ description: 'Only changes of rows that the scopes of this area concern.' }),
  entity: z.enum(CHANGE_ENTITIES).optional().openapi({ description: 'Only changes of this kind of row.' }),
  entityId: storedText(0, 255).optional().openapi({ description: 'Only changes of the row with this id.' }),
  action: z.enum(CHANGE_ACTIONS).optional().openapi({ description: 'Only changes with this action.' }),
  actor: storedText(0, 255).optional().openapi({ description: 'Only changes of this actor.' }),
  route: storedText(1, 1300, 'app.example.com/api')
    .optional()
    .openapi({
      description:
        'Only changes of this route: its id, or its mount. A mount means the route that has it, or had it last. With ' +
        '`service`: the changes of both.',
    }),
  service: storedText(1, 63, 'shop').optional().openapi({
    description:
      'Only changes of this service: its id, or its name. A name means the service that has it, or had it last.',
  }),
} as const
export type ChangeFilterQuery = z.output<z.ZodObject<typeof changeFilterQuery>>

/** Resolves with the filters of a query. Rejects with `not_found` for a mount or a name without a row. */
export async function filtersOf(
  { area, entity, entityId, action, actor, route, service }: ChangeFilterQuery,
  { routes, services }: Pick<Store, 'routes' | 'services'>,
): Promise<ChangeFilters> {
  const ofArea: readonly ChangeEntity[] = area === undefined ? CHANGE_ENTITIES : AREAS[area]
  const entities = ofArea.filter(each => entity === undefined || each === entity)
  return {
    entities: area === undefined && entity === undefined ? undefined : entities,
    entityId,
    action,
    actor,
    routeId: route === undefined ? undefined : await routeIdOf(route, routes),
    serviceId: service === undefined ? undefined : await idOf(service, asServiceId, services),
  }
}

function routeIdOf(route: string, routes: Store['routes']): Promise<RouteId> {
  if (isId(route) || parseMount(route).ok) return idOf(route, asRouteId, routes)
  throw new VeraError('not_found', `There is no route "${route}". Give its id, or its mount.`)
}

/** The id of a row that no longer exists still finds its changes. */
async function idOf<Id extends string>(
  text: string,
  asId: (text: string) => Id,
  rows: { getLast(text: string): Promise<{ readonly id: Id }> },
): Promise<Id> {
  return isId(text) ? asId(text.toLowerCase()) : (await rows.getLast(text)).id
}

/** True when the filters accept every change. */
export const acceptsAll = (filters: ChangeFilters): boolean =>
  Object.values(filters).every(value => value === undefined)
