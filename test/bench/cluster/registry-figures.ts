// The descriptions of the figures of the registry bench, for its table.

const MEANINGS: Record<string, string> = {
  freshBytesPerLine: 'memory of a line on each replica, registry and documents, fresh, bytes',
  joinedBytesPerLine: 'the same on a replica that has just joined and has no lines of its own, bytes',
  churnedBytesPerLine: 'the same on a replica that has followed the churn, bytes',
  memoryAfterChurnRatio: 'memory of all owners and readers, after churn / fresh',
  freshStateBytesPerLine: 'encoded documents, fresh, bytes a line',
  churnedStateBytesPerLine: 'encoded documents after the churn, bytes a line',
  stateAfterChurnRatio: 'documents after churn / fresh',
  joinMs: 'a joining replica has everything after, ms',
  joinMaxBlockMs: 'longest single step of that, ms of CPU',
  hideMs: 'the lines of one replica leave the registry when its lease ends, ms',
  showMs: '… return when it is renewed, ms',
  visibleMsP50: 'a new line is on all replicas after, p50, ms',
  visibleMsP99: '… p99, ms',
  singleBytesPerPeer: 'message for one change, bytes a peer',
  singleWriteMicros: 'one change alone: its owner writes it, µs of CPU',
  singleReadMicros: '… each other replica reads it, µs',
  churnChanges: 'connects and disconnects',
  churnWriteMicros: 'a change of many: its owner writes it, µs',
  churnSendMicros: '… makes the message, µs a peer',
  churnReadMicros: '… each reader reads it, µs',
  churnBytesPerChangeAndPeer: '… bytes a peer',
  churnMaxBlockMs: 'longest single step of the churn, ms of CPU',
  sizeFaults: 'gaps, mismatches and other faults of the exchanges, before the churn',
  churnFaults: '… during the churn',
  seconds: 'everything together, s',
}

export function explain(results: Readonly<Record<string, number>>): string {
  return Object.entries(MEANINGS)
    .map(([name, meaning]) => `${String(results[name]).padStart(10)}  ${meaning}`)
    .join('\n')
}
