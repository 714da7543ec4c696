import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { keepTickShape } from './tick-shape.ts'

const MODULE = join(import.meta.dirname, 'tick-shape.ts')

// A process of its own, with V8's comparison of shapes. The tick objects after the collections come from another hook.
const SCRIPT = `
  import { createHook } from 'node:async_hooks'
  import { setImmediate } from 'node:timers/promises'
  const { keepTickShape } = await import(${JSON.stringify(MODULE)})
  const kept = keepTickShape()
  for (let count = 0; count < 10; count += 1) {
    await setImmediate()
    gc()
  }
  let later
  const hook = createHook({ trackPromises: false, init: (id, type, trigger, tick) => { if (type === 'TickObject') later = tick } })
  hook.enable()
  process.nextTick(() => {})
  hook.disable()
  console.log(%HaveSameMap(kept, later), keepTickShape() === kept)
`

it('keeps an object with the shape of all later tick objects', async () => {
  const flags = ['--expose-gc', '--allow-natives-syntax', '--input-type=module', '--eval', SCRIPT]
  const { stdout } = await promisify(execFile)(process.execPath, flags)
  expect(stdout).toBe('true true\n')
})

it('adds no hook in a version of Node whose hooks follow promises', () => {
  expect(keepTickShape('24.9.0')).toBeUndefined()
})
