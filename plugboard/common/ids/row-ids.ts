// The ids of rows that other rooms refer to. They come from the database, from its change feed, from the snapshot file, and
// from the `jti` of our own tokens.

import type { Branded } from './branded.ts'

export type ServiceId = Branded<'ServiceId'>
export type RouteId = Branded<'RouteId'>
export type TokenId = Branded<'TokenId'>

/** `text`: an id that its source has stored. */
export function asServiceId(text: string): ServiceId {
  return text as ServiceId
}

/** `text`: an id that its source has stored. */
export function asRouteId(text: string): RouteId {
  return text as RouteId
}

/** `text`: an id that its source has stored, or signed as `jti`. */
export function asTokenId(text: string): TokenId {
  return text as TokenId
}
