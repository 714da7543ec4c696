// Calls `flush` of whoever asked for it, once the event-loop turn is over that brought the first frames of an answer.

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
