// The id of a replica. It is the setting `name` of the replica, so it comes from the configuration, from the row of the
// replica, and from the token of a peer.

import type { Branded } from './branded.ts'

export type ReplicaId = Branded<'ReplicaId'>

/** `text`: a name that its source has checked. */
export function asReplicaId(text: string): ReplicaId {
  return text as ReplicaId
}
