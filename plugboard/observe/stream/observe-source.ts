// Live data of one replica, such as the lines of the live log. A source sends items to its feeds only while a feed is open. The
// hub (observe-hub.ts) opens feeds for viewers on this replica, and the exchange with a peer opens them for viewers there.

/** The receiver of the items of one feed. */
export interface FeedSink {
  /** `item`: a value that JSON can hold. */
  item(value: object): void
  /** Counts items that the source has dropped, because there were too many. */
  dropped(count: number): void
}

export interface ObserveSource {
  /** Starts to send items. Throws for parameters that it cannot read. */
  open(params: unknown, sink: FeedSink): Feed
}

export interface Feed {
  close(): void
}

/** A topic of live data. */
export interface ObserveTopic {
  readonly source: ObserveSource
  /** Returns the item of another replica, in the form of this version; undefined when it cannot be read. */
  readonly read: (item: unknown) => object | undefined
}

/** The topics by name. Replicas send the names to each other. */
export type ObserveTopics = Readonly<Record<string, ObserveTopic>>
