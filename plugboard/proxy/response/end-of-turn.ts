// Calls `flush` of each registered response at the end of the event-loop turn in which its first frames arrived.

interface Held {
  flush(): void
}

let waiting: Held[] = []

export function holdUntilTurnEnds(held: Held): void {
  if (waiting.push(held) === 1) process.nextTick(turnEnded)
}

function turnEnded(): void {
  const ready = waiting
  waiting = []
  for (const held of ready) held.flush()
}
