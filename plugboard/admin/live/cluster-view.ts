// The view of the whole cluster for the admin API, the same on each replica. The registry of each replica has all lines. But only
// one replica has the data of a telephone or a failure, so this replica asks the others over their links. The functions that
// respond to other replicas are here too. The result names replicas that sent no response, and waits for them only briefly.
//
//   telephones()  ┐                      ┌ own tunnels, failures, ends of lines, ejections
//   facts()       ├─▶ own facts + ask ──▶ respond() of each other replica
//   ejections()   ┘

import { z } from '@hono/zod-openapi'
import type { ServiceId } from '../../common/ids/row-ids.ts'
import type { ServiceError } from '../../common/service-error.ts'
import type { Page } from '../../database/store/store.ts'
import { decodeCursor, encodeCursor, limitOf } from '../../database/store/values/page.ts'
import type { Directory, DirectoryService } from '../../routes/directory.ts'
import { serviceIdSchema } from '../../routes/row-id-schemas.ts'
import type { LastLine, RefusedAnnouncement } from '../../telephones/lines/service-history.ts'
import type { ListedTelephone } from '../../telephones/listed-telephone.ts'
import { type FailureBody, failureBody, failureFields } from '../bodies/failure.ts'
import { type ReplicaEjections, remoteEjectionsSchema } from '../bodies/policy/ejection.ts'
import type { MissingReplicas } from '../bodies/replica.ts'
import { remoteTelephoneSchema } from '../bodies/telephone.ts'
import { type AskReplicas, askAll } from './ask-replicas.ts'
import { withStops } from './with-stops.ts'

export interface ClusterViewOptions {
  readonly replicaId: string
  readonly startedAt: Date
  /** The tunnels of this replica. */
  readonly telephones: () => readonly ListedTelephone[]
  readonly lastErrorOf: (serviceId: ServiceId) => ServiceError | undefined
  readonly lastLineOf: (service: DirectoryService) => LastLine | undefined
  readonly refusalOf: (service: DirectoryService) => RefusedAnnouncement | undefined
  readonly ejections: () => ReplicaEjections
  /** Finds a service by its name or by a former name that a telephone announces. */
  readonly serviceByName: (name: string) => DirectoryService | undefined
  /** Returns the override of the process. */
  readonly overrideOf: Directory['overrideOf']
  readonly serviceById: (id: ServiceId) => DirectoryService | undefined
  readonly ask: AskReplicas
}

export interface TelephoneRequest {
  readonly service?: string | undefined
  readonly name?: string | undefined
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

/** The facts of one replica about one service. */
const factsSchema = z.object({
  id: z.string(),
  lastError: z.object(failureFields).nullable(),
  lastLine: z
    .object({
      at: z.iso.datetime(),
      cause: z.enum(['disconnected', 'unhealthy', 'no_weight']),
      telephone: z.string(),
      replicaId: z.string(),
      end: z.object({ reason: z.string(), detail: z.string() }).nullable(),
    })
    .nullable(),
  refusal: z
    .object({ at: z.iso.datetime(), telephone: z.string(), code: z.string(), detail: z.string() })
    .nullable(),
})
export type ServiceFacts = z.infer<typeof factsSchema>

/** The facts of one replica about the services that were asked for. */
export interface ReplicaFacts {
  readonly replicaId: string
  readonly startedAt: string
  readonly services: ReadonlyMap<string, ServiceFacts>
}

/** The first tunnels of one replica after a cursor. */
interface TelephoneList {
  readonly items: readonly ListedTelephone[]
  /** True when the replica has further tunnels. */
  readonly more: boolean
}

const TELEPHONES = 'telephones'
const SERVICES = 'services'
const EJECTIONS = 'ejections'
/** Characters of JSON in one response about telephones. A telephone may have many services and labels. */
const MAX_TELEPHONE_CHARACTERS = 1024 * 1024
/** Services in one request to a replica, so that the request stays small. */
const MAX_SERVICES = 300

const cursorKey = z.tuple([z.string(), z.string()])
const telephonesParams = z.object({
  service: z.string().optional(),
  name: z.string().optional(),
  after: cursorKey.optional(),
  limit: z.int().min(1).max(500),
})
/** `more`: the replica has further tunnels after the last item. */
export const telephonesResponse = z.object({
  items: z.array(remoteTelephoneSchema).max(500),
  more: z.boolean(),
})
const servicesParams = z.object({ ids: z.array(serviceIdSchema).max(MAX_SERVICES) })
export const servicesResponse = z.object({
  startedAt: z.iso.datetime(),
  services: z.array(factsSchema).max(MAX_SERVICES),
})

export class ClusterView {
  readonly #options: ClusterViewOptions

  constructor(options: ClusterViewOptions) {
    this.#options = options
  }

  /** Returns the response to another replica; undefined for an unknown name. Throws for params that it cannot read. */
  respond(name: string, params: unknown): object | undefined {
    if (name === TELEPHONES) return this.#ownTelephones(telephonesParams.parse(params))
    if (name === EJECTIONS) return this.#options.ejections()
    if (name !== SERVICES) return undefined
    const { ids } = servicesParams.parse(params)
    return { startedAt: this.#options.startedAt.toISOString(), services: this.#ownFacts(ids) }
  }

  /** Resolves with a page of the tunnels of all replicas, by name. Each replica sends at most one page. */
  async telephones(
    request: TelephoneRequest,
  ): Promise<{ readonly page: Page<ListedTelephone>; readonly missing: MissingReplicas }> {
    const limit = limitOf(request)
    const { service, name, cursor } = request
    const after = cursor === undefined ? undefined : decodeCursor(cursorKey, cursor)
    const params = { service, name, after, limit }
    const [{ values, missing }, stops] = await Promise.all([
      askAll(this.#options.ask, TELEPHONES, params, telephonesResponse),
      this.ejections(),
    ])
    const lists = [this.#ownTelephones(params), ...values.map(({ value }) => value)]
    const page = merged(lists, limit)
    return {
      page: { ...page, items: page.items.map(row => withStops(row, stops, this.#options)) },
      missing,
    }
  }

  /** Resolves with the ejections on all replicas, this replica first. */
  async ejections(): Promise<ReplicaEjections & { readonly missing: MissingReplicas }> {
    const { values, missing } = await askAll(this.#options.ask, EJECTIONS, {}, remoteEjectionsSchema)
    const all = [this.#options.ejections(), ...values.map(({ value }) => value)]
    return {
      items: all.flatMap(({ items }) => items),
      services: all.flatMap(({ services }) => services),
      subsets: all.flatMap(({ subsets }) => subsets),
      breakers: all.flatMap(({ breakers }) => breakers),
      missing,
    }
  }

  /** Resolves with the facts of each replica about the services, this replica first. Ignores ids after the first `MAX_SERVICES`. */
  async facts(
    ids: readonly ServiceId[],
  ): Promise<{ readonly replicas: readonly ReplicaFacts[]; readonly missing: MissingReplicas }> {
    const asked = ids.slice(0, MAX_SERVICES)
    const own = { startedAt: this.#options.startedAt.toISOString(), services: this.#ownFacts(asked) }
    const { values, missing } = await askAll(this.#options.ask, SERVICES, { ids: asked }, servicesResponse)
    const all = [{ replicaId: this.#options.replicaId, value: own }, ...values]
    const replicas = all.map(({ replicaId, value: { startedAt, services } }) => ({
      replicaId,
      startedAt,
      services: new Map(services.map(facts => [facts.id, facts])),
    }))
    return { replicas, missing }
  }

  #ownTelephones({ service, name, after, limit }: z.output<typeof telephonesParams>): TelephoneList {
    const { serviceByName } = this.#options
    const all = this.#options
      .telephones()
      .filter(telephone => name === undefined || telephone.name === name)
      .filter(
        ({ services }) =>
          service === undefined ||
          services.some(line => line.service === service || serviceByName(line.service)?.name === service),
      )
      .filter(telephone => after === undefined || compare(keyOf(telephone), after) > 0)
      .sort(inOrder)
    const items: ListedTelephone[] = []
    let characters = 0
    for (const item of all.slice(0, limit)) {
      characters += JSON.stringify(item).length
      // A page has at least one row, so that its reader reaches the end of the list.
      if (items.length > 0 && characters > MAX_TELEPHONE_CHARACTERS) break
      items.push(item)
    }
    return { items, more: all.length > items.length }
  }

  #ownFacts(ids: readonly ServiceId[]): ServiceFacts[] {
    const { serviceById, lastErrorOf, lastLineOf, refusalOf } = this.#options
    return ids.map(id => {
      const service = serviceById(id)
      const error = lastErrorOf(id)
      const line = service && lastLineOf(service)
      const refusal = service && refusalOf(service)
      return {
        id,
        lastError: error === undefined ? null : failureBody(error),
        lastLine: line === undefined ? null : lineFacts(line),
        refusal: refusal === undefined ? null : { ...refusal, at: iso(refusal.atMs) },
      }
    })
  }
}

const iso = (ms: number): string => new Date(ms).toISOString()

const lineFacts = (line: LastLine): NonNullable<ServiceFacts['lastLine']> => ({
  at: iso(line.atMs),
  cause: line.cause,
  telephone: line.telephone,
  replicaId: line.replicaId,
  end: line.end ?? null,
})

const keyOf = ({ name, id }: { readonly name: string; readonly id: string }): [string, string] => [name, id]

function compare(
  [name, id]: readonly [string, string],
  [otherName, otherId]: readonly [string, string],
): number {
  if (name !== otherName) return name < otherName ? -1 : 1
  return id === otherId ? 0 : id < otherId ? -1 : 1
}

const inOrder = (
  left: { readonly name: string; readonly id: string },
  right: { readonly name: string; readonly id: string },
): number => compare(keyOf(left), keyOf(right))

/** Merges the lists of replicas into one page. Rows after the end of an incomplete list are part of a later page. */
function merged(lists: readonly TelephoneList[], limit: number): Page<ListedTelephone> {
  const ends = lists.flatMap(({ items, more }) => {
    const last = items.at(-1)
    return more && last !== undefined ? [keyOf(last)] : []
  })
  const rows = lists
    .flatMap(({ items }) => items)
    .filter(row => ends.every(end => compare(keyOf(row), end) <= 0))
    .sort(inOrder)
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  const more = ends.length > 0 || rows.length > items.length
  return { items, nextCursor: more && last !== undefined ? encodeCursor(keyOf(last)) : undefined }
}

/** Returns the newest failure that any replica has seen of the service. */
export function newestError(
  replicas: readonly ReplicaFacts[],
  serviceId: ServiceId,
): (FailureBody & { readonly replicaId: string }) | undefined {
  let newest: (FailureBody & { readonly replicaId: string }) | undefined
  for (const { replicaId, services } of replicas) {
    const error = services.get(serviceId)?.lastError
    if (error === null || error === undefined) continue
    if (newest === undefined || error.at > newest.at) newest = { ...error, replicaId }
  }
  return newest
}
