// The rows of EDGE.md against a proxy in this process. test/conformance/http runs the same table over the whole path.

import { afterAll, beforeAll } from 'vitest'
import { testEdgeRows } from '../../../test/conformance/http/rows/edge-rows.ts'
import { MemorySide } from '../../../test/conformance/http/rows/memory-side.ts'
import { expectNoLeak, openResources } from '../../../test/support/leak-check.ts'

let side: MemorySide
let before: Map<string, number>

beforeAll(async () => {
  before = openResources()
  side = await MemorySide.start()
})
afterAll(async () => {
  await side.close()
  await expectNoLeak(before)
})

testEdgeRows('memory', () => side)
