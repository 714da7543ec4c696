// The only file that uses yjs. A shard is a Y.Array of packed lines. One replica appends entries and deletes them; the others
// hold copies. Both ends identify an entry by its clock, the running number from yjs. They use no index, because yjs finds an
// index by walking the whole list when there is one writer (decision 0012 has the figures). yjs merges neighbours into one item,
// and a run of deleted entries into one tombstone, which keeps the document small.

import * as Y from 'yjs'
import { MalformedError } from '../wire/malformed.ts'

const ROOT = 'lines'
/** Each document has one writer, so all can use the same, shortest id. Copies never write. */
const WRITER = 1
const COPY = 0

/** Removed entries are ranges of clocks. Added entries have their clock. Both are in ascending order. */
export interface EntryChanges {
  readonly removed: readonly { readonly clock: number; readonly len: number }[]
  readonly added: readonly { readonly clock: number; readonly value: unknown }[]
}

export class ShardWriter {
  readonly #doc = newDocument(WRITER)
  #update: Uint8Array = new Uint8Array()

  constructor() {
    this.#doc.on('update', (update: Uint8Array) => {
      this.#update = update
    })
  }

  /** The clock that the next entry gets. */
  get clock(): number {
    return Y.getState(this.#doc.store, WRITER)
  }

  /**
   * Deletes the entries with these clocks and appends new ones, with clocks from `clock` on. Returns the update that makes the
   * same change to a copy. At least one of the two lists must have entries.
   */
  write(removedClocks: readonly number[], added: readonly string[]): Uint8Array {
    this.#doc.transact(transaction => {
      for (const clock of removedClocks) {
        const id = Y.createID(WRITER, clock)
        const item = Y.getItemCleanStart(transaction, id)
        Y.getItemCleanEnd(transaction, this.#doc.store, id)
        item.delete(transaction)
      }
      if (added.length > 0) this.#append(transaction, added)
    })
    const update = this.#update
    this.#update = new Uint8Array()
    return update
  }

  /** Returns the update for a copy that has all entries below `clock`: later entries and all deletions. 0: the full state. */
  stateSince(clock: number): Uint8Array {
    return Y.encodeStateAsUpdate(this.#doc, Y.encodeStateVector(new Map([[WRITER, clock]])))
  }

  destroy(): void {
    this.#doc.destroy()
  }

  /** Appends as Y.Array.push does, without its walk to the end, because the last struct of the only writer is the end. */
  #append(transaction: Y.Transaction, added: readonly string[]): void {
    const last = this.#doc.store.clients.get(WRITER)?.at(-1)
    const left = last instanceof Y.Item ? last : null
    const list = this.#doc.getArray(ROOT)
    const id = Y.createID(WRITER, this.clock)
    const content = new Y.ContentAny([...added])
    new Y.Item(id, left, left?.lastId ?? null, null, null, list, null, content).integrate(transaction, 0)
  }
}

export class ShardReader {
  readonly #doc = newDocument(COPY)
  #changes: EntryChanges = { removed: [], added: [] }

  constructor() {
    this.#doc.getArray(ROOT)
    // This event comes before yjs removes deleted entries and merges neighbours.
    this.#doc.on('afterTransaction', (transaction: Y.Transaction) => {
      this.#changes = changesOf(transaction)
    })
  }

  /** The clock up to which entries have arrived, as an argument for `stateSince` of the writer. */
  get clock(): number {
    return Y.getState(this.#doc.store, WRITER)
  }

  /** Applies an update. Throws MalformedError for any other bytes; the reader cannot be used after that. */
  apply(update: Uint8Array): EntryChanges {
    this.#changes = { removed: [], added: [] }
    try {
      Y.applyUpdate(this.#doc, update)
    } catch (error) {
      throw new MalformedError('the bytes are not an update', { cause: error })
    }
    const { store, share } = this.#doc
    const othersWrote = [...store.clients.keys()].some(client => client !== WRITER)
    if (othersWrote || share.size !== 1 || store.pendingStructs !== null || store.pendingDs !== null)
      throw new MalformedError('the update is of another document, or incomplete')
    return this.#changes
  }

  /** Bytes of its encoded full state, for measurements. */
  get stateBytes(): number {
    return Y.encodeStateAsUpdate(this.#doc).length
  }

  destroy(): void {
    this.#doc.destroy()
  }
}

function newDocument(clientId: number): Y.Doc {
  const doc = new Y.Doc({ guid: ROOT, gc: true })
  doc.clientID = clientId
  return doc
}

function changesOf(transaction: Y.Transaction): EntryChanges {
  const before = transaction.beforeState.get(WRITER) ?? 0
  const removed = transaction.deleteSet.clients.get(WRITER) ?? []
  const added: { clock: number; value: unknown }[] = []
  const structs = transaction.doc.store.clients.get(WRITER) ?? []
  if (before === (transaction.afterState.get(WRITER) ?? 0)) return { removed, added }
  for (let i = Y.findIndexSS(structs, before); i < structs.length; i += 1) {
    const struct = structs[i]!
    if (struct.deleted) continue
    const values =
      struct instanceof Y.Item && struct.parentSub === null ? struct.content.getContent() : [null]
    values.forEach((value: unknown, offset) => {
      added.push({ clock: struct.id.clock + offset, value })
    })
  }
  return { removed, added }
}
