// The author of a change as text. The log has the id of an API key or a token; people know them by their names.

import type { KeyBody, TokenBody } from '../../../../admin/api-types.ts'
import { get } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { may } from '../../session/session.ts'

const KINDS = { 'admin-key': 'key', token: 'token' } as const
const MAX_ROWS = 500

/** Returns the names of keys and tokens by their actor, such as `admin-key:0199…`. Keys that the session cannot read have no name. */
export function useActorNames(): ReadonlyMap<string, string> {
  const query = useQuery<ReadonlyMap<string, string>>('names of actors', async signal => {
    const [keys, tokens] = await Promise.all([
      may('keys:read') ? rows<KeyBody>('/v1/keys', signal) : [],
      may('tokens:read') ? rows<TokenBody>('/v1/tokens', signal) : [],
    ])
    return new Map([
      ...keys.map(({ id, name }) => [`admin-key:${id}`, name] as const),
      ...tokens.map(({ id, name }) => [`token:${id}`, name] as const),
    ])
  })
  return query.data ?? NO_NAMES
}

const NO_NAMES: ReadonlyMap<string, string> = new Map()

async function rows<Row>(path: string, signal: AbortSignal): Promise<readonly Row[]> {
  return (await get<{ items: readonly Row[] }>(path, { limit: MAX_ROWS }, signal)).items
}

/** Returns `key deploy`, or `key a990b826…` when the name is not known. Another actor, such as `system`, stays. */
export function actorText(actor: string, names: ReadonlyMap<string, string>): string {
  const [kind = '', id] = actor.split(':')
  if (id === undefined || !Object.hasOwn(KINDS, kind)) return actor
  return `${KINDS[kind as keyof typeof KINDS]} ${names.get(actor) ?? `${id.slice(0, 8)}…`}`
}
