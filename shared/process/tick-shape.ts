// Keeps process.nextTick fast. Node makes the object of each tick from a literal with computed keys. V8 remembers the shape of this
// object by a weak reference. When the process is idle for some time, no tick object exists, and a garbage collection removes the
// shape. The next tick object has a new shape. From then on V8 makes each tick object by a call of its runtime, which takes ten
// times as long (90 and 800 ns), until the process ends. A request needs about five ticks. The shape stays as long as one tick object
// exists, so this module keeps one.

import { createHook } from 'node:async_hooks'

/** The first version of Node whose hooks need not follow promises. With hooks that follow them, each `await` would become slower. */
const FIRST_MAJOR = 26

let kept: object | undefined

/** The types of older versions of Node do not have `trackPromises`. */
const HOOK = {
  trackPromises: false,
  init(_id: number, type: string, _trigger: number, resource: object) {
    if (type === 'TickObject') kept = resource
  },
}

/** Keeps one tick object until the process ends, and returns it. Undefined: this version of Node cannot do it without a cost. */
export function keepTickShape(version: string = process.versions.node): object | undefined {
  if (kept !== undefined || Number.parseInt(version, 10) < FIRST_MAJOR) return kept
  const hook = createHook(HOOK)
  hook.enable()
  process.nextTick(nothing)
  hook.disable()
  return kept
}

function nothing(): void {
  // Only the object of the tick is of use.
}
