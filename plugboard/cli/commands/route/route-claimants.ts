// The note of `plugboard route rm` and `route set --mount` about connected telephones that announce the old mount. Such a telephone
// claims the mount again when it reconnects. Without the note, the user finds the route again later and sees no cause.

import type { ListedTelephone, RouteBody } from '../../../admin/api-types.ts'
import { ApiError } from '../../api/api-client.ts'
import type { ApiCommand } from '../../api/api-command.ts'

/** Names in one note. */
const MAX_NAMES = 3

/** Writes one line to the standard error when connected telephones announce the mount of the route. */
export async function noteClaimants(
  { api, output }: Pick<ApiCommand<unknown>, 'api' | 'output'>,
  { mount, service }: Pick<RouteBody, 'mount' | 'service'>,
): Promise<void> {
  if (service === null) return
  let tunnels: readonly ListedTelephone[]
  try {
    tunnels = await api.list<ListedTelephone>('/v1/telephones', { service })
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    // The route is changed already, so the command has succeeded. A key without the scope status:read gets no note.
    if (error.code !== 'forbidden') output.note(`note: telephones could not be listed: ${error.message}`)
    return
  }
  const announcing = tunnels.filter(({ services }) => services.some(({ mounts }) => mounts.includes(mount)))
  // A telephone has several tunnels.
  const names = [...new Set(announcing.map(({ name }) => name))]
  if (names.length > 0) output.note(claimantsText(mount, names))
}

function claimantsText(mount: string, names: readonly string[]): string {
  const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : ''
  const all = `${names.slice(0, MAX_NAMES).join(', ')}${more}`
  return names.length === 1
    ? `note: telephone ${all} is connected with ${mount} and claims it again when it reconnects; to keep the mount free, stop the telephone or revoke its token`
    : `note: telephones ${all} are connected with ${mount} and claim it again when they reconnect; to keep the mount free, stop them or revoke their tokens`
}
