// Checks that a service exists, because an empty list for a mistyped name would look like a result.

import type { ApiClient } from './api-client.ts'
import { segment } from './api-command.ts'

/** Throws the `not_found` of the admin API when no service has this name. Without a name it has no effect. */
export async function requireService(api: ApiClient, service: string | undefined): Promise<void> {
  if (service !== undefined) await api.get(`/v1/services/${segment(service)}`)
}
