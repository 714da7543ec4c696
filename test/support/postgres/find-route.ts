// Reads a route that may be absent.

import { VeraError } from '@vera-stack/shared/errors.ts'
import type { Route, Store } from '../../../plugboard/database/store/store.ts'

/** Returns the route with this id or mount, or undefined when it does not exist. */
export async function findRoute(store: Store, idOrMount: string): Promise<Route | undefined> {
  try {
    return await store.routes.get(idOrMount)
  } catch (error) {
    if (error instanceof VeraError && error.code === 'not_found') return undefined
    throw error
  }
}
