// The note of `plugboard route rm`, `route prune --yes` and `route set --mount` about connected telephones that announce the old mount. Such a telephone
// claims the mount again when it reconnects. Without the note, the user finds the route again later and sees no cause.

import type { ListedTelephone, RouteBody } from '../../../admin/api-types.ts'
import { ApiError } from '../../api/api-client.ts'
import type { ApiCommand } from '../../api/api-command.ts'

/** Names in one note. */
const MAX_NAMES = 3
/** Notes of one command. */
const MAX_NOTES = 10

type Call = Pick<ApiCommand<unknown>, 'api' | 'output'>

/** Writes one line to the standard error for each of the routes whose mount connected telephones announce. */
export async function noteClaimants(
  call: Call,
  routes: readonly Pick<RouteBody, 'mount' | 'service'>[],
): Promise<void> {
  const notes: string[] = []
  for (const [service, ofService] of Map.groupBy(routes, route => route.service)) {
    if (service === null) continue
    const tunnels = await telephonesOf(call, service)
    if (tunnels === undefined) return
    for (const { mount } of ofService) {
      const names = claimants(tunnels, mount)
      if (names.length > 0) notes.push(claimantsText(mount, names))
    }
  }
  for (const note of notes.slice(0, MAX_NOTES)) call.output.note(note)
  const more = notes.length - MAX_NOTES
  if (more > 0) call.output.note(`note: telephones are also connected with ${more} more of these mounts`)
}

/** Returns undefined when they cannot be listed. */
async function telephonesOf(
  { api, output }: Call,
  service: string,
): Promise<readonly ListedTelephone[] | undefined> {
  try {
    return await api.list<ListedTelephone>('/v1/telephones', { service })
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    // The route is changed already, so the command has succeeded. A key without the scope status:read gets no note.
    if (error.code !== 'forbidden') output.note(`note: telephones could not be listed: ${error.message}`)
    return undefined
  }
}

/** Returns the names of the telephones that announce the mount, each once: a telephone has several tunnels. */
function claimants(tunnels: readonly ListedTelephone[], mount: string): readonly string[] {
  const announcing = tunnels.filter(({ services }) => services.some(({ mounts }) => mounts.includes(mount)))
  return [...new Set(announcing.map(({ name }) => name))]
}

function claimantsText(mount: string, names: readonly string[]): string {
  const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : ''
  const all = `${names.slice(0, MAX_NAMES).join(', ')}${more}`
  return names.length === 1
    ? `note: telephone ${all} is connected with ${mount} and claims it again when it reconnects; to keep the mount free, stop the telephone or revoke its token`
    : `note: telephones ${all} are connected with ${mount} and claim it again when they reconnect; to keep the mount free, stop them or revoke their tokens`
}
