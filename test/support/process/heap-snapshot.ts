// Heap snapshots of a child process, to count the objects of a class. The child runs with `SNAPSHOT_OPTIONS`.

import { open, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually } from '../deadline.ts'
import type { Child } from './child.ts'

/** Value of NODE_OPTIONS: SIGUSR2 writes a snapshot into the working directory. */
export const SNAPSHOT_OPTIONS = '--heapsnapshot-signal=SIGUSR2'
const PATIENCE_MS = 30_000
const TAIL_BYTES = 16
/** The head of a snapshot, whose lists of names end in the same way, is smaller. */
const MIN_BYTES = 1_000_000

interface Snapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: readonly string[]
      readonly node_types: readonly [readonly string[]]
    }
  }
  readonly nodes: readonly number[]
  readonly strings: readonly string[]
}

/** Resolves with the number of objects of each class. `folder`: the working directory of the child. */
export async function countObjects(
  child: Child,
  folder: string,
  classes: readonly string[],
): Promise<Record<string, number>> {
  child.signal('SIGUSR2')
  const path = await eventually('the snapshot is complete', () => completeSnapshot(folder), PATIENCE_MS)
  const text = await readFile(path, 'utf8')
  await rm(path)
  return countsOf(JSON.parse(text) as Snapshot, classes)
}

/** Resolves with the path of a snapshot that is complete: it ends with the list of strings. */
async function completeSnapshot(folder: string): Promise<string | undefined> {
  const name = (await readdir(folder)).find(each => each.endsWith('.heapsnapshot'))
  if (name === undefined) return undefined
  const path = join(folder, name)
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const { buffer } = await file.read(
      Buffer.alloc(TAIL_BYTES),
      0,
      TAIL_BYTES,
      Math.max(0, size - TAIL_BYTES),
    )
    const isWhole = size > MIN_BYTES && /"\]\s*\}\s*$/.test(buffer.toString('latin1'))
    return isWhole ? path : undefined
  } finally {
    await file.close()
  }
}

function countsOf(
  { snapshot, nodes, strings }: Snapshot,
  classes: readonly string[],
): Record<string, number> {
  const { node_fields: fields, node_types: types } = snapshot.meta
  const [type, name] = [fields.indexOf('type'), fields.indexOf('name')]
  const object = types[0].indexOf('object')
  const counts = Object.fromEntries(classes.map(each => [each, 0]))
  for (let node = 0; node < nodes.length; node += fields.length) {
    if (nodes[node + type] !== object) continue
    const className = strings[nodes[node + name] as number] as string
    if (className in counts) counts[className] = (counts[className] as number) + 1
  }
  return counts
}
