// Heap snapshots of a child process, to count the objects of a class. The child runs with `SNAPSHOT_OPTIONS`.

import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually } from '../deadline.ts'
import type { Child } from './child.ts'

/** Value of NODE_OPTIONS: SIGUSR2 writes a snapshot into the working directory. */
export const SNAPSHOT_OPTIONS = '--heapsnapshot-signal=SIGUSR2'
const PATIENCE_MS = 30_000

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
  const { path, text } = await eventually(
    'the snapshot is complete',
    () => completeSnapshot(folder),
    PATIENCE_MS,
  )
  await rm(path)
  return countsOf(JSON.parse(text) as Snapshot, classes)
}

async function completeSnapshot(folder: string): Promise<{ path: string; text: string } | undefined> {
  const name = (await readdir(folder)).find(each => each.endsWith('.heapsnapshot'))
  if (name === undefined) return undefined
  const path = join(folder, name)
  const text = await readFile(path, 'utf8')
  // The strings are the last part.
  return text.trimEnd().endsWith(']}') ? { path, text } : undefined
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
