// The rows of the table over the whole path. plugboard/proxy/tests/edge-rows.test.ts runs the same table in one process.

import { beforeAll, describe } from 'vitest'
import { edge } from './edge.ts'
import { testEdgeRows } from './rows/edge-rows.ts'
import { WireSide } from './rows/wire-side.ts'

describe('rows on the wire', () => {
  let side: WireSide
  beforeAll(async () => {
    side = await WireSide.of(edge)
  })
  testEdgeRows('wire', () => side)
})
