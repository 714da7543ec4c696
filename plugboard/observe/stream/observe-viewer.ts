// A reader of live data on this replica, and the state of each replica that it reads from.

/** Its calls must not block. */
export interface ObserveViewer {
  /** `text`: the item as JSON. */
  item(text: string): void
  dropped(replicaId: string, count: number): void
  /** Called when a replica began or ended to send its data. */
  replicasChanged(): void
}

/** `asked`: the peer has not responded yet, or there is no stream to it. `refused`: it has no such feed, for `reason`. */
export interface WatchedReplica {
  readonly state: 'asked' | 'watched' | 'refused'
  readonly reason: string
}

export interface ViewerWatch {
  /** The state of each peer that was asked. */
  readonly replicas: ReadonlyMap<string, WatchedReplica>
  close(): void
}
