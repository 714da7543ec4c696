// All rows of the table, and the one way to run them: a test for each row of a side.

import { it } from 'vitest'
import type { EdgeRow, SideName } from './edge-row.ts'
import { FIELDS } from './fields.ts'
import { FRAMING } from './framing.ts'
import { FRAMING_REFUSALS } from './framing-refusals.ts'
import { PATHS } from './paths.ts'
import { RESPONSES } from './responses.ts'
import { type EdgeSide, runRow } from './run-row.ts'
import { UPGRADES } from './upgrades.ts'

export const EDGE_ROWS: readonly EdgeRow[] = [
  ...FRAMING_REFUSALS,
  ...FRAMING,
  ...FIELDS,
  ...PATHS,
  ...RESPONSES,
  ...UPGRADES,
]

/** Declares the tests of a side. `side` is called when a test runs. */
export function testEdgeRows(name: SideName, side: () => EdgeSide): void {
  const rows = EDGE_ROWS.filter(({ only }) => only === undefined || only.side === name)
  it.each(rows.map(row => [row.name, row] as const))('%s', (_name, row) => runRow(side(), row))
}
