// Edits the document of a row. While a person edits it, the document stays. Its version is sent, so a save after the change of another
// user is refused.

import { useRef, useState } from 'preact/hooks'
import { DocumentEditor, type DocumentEditorProps } from './document-editor.tsx'

interface VersionedRow {
  readonly version: number
}

export function RowEditor<Row extends VersionedRow>(
  props: Omit<DocumentEditorProps, 'document' | 'onEdited' | 'save'> & {
    readonly row: Row
    /** The noun for the row, such as "route". */
    readonly noun: string
    readonly documentOf: (row: Row) => object
    /** Sends the changed document of `row`, with the version of `row`. Rejects with ApiError. */
    readonly save: (row: Row, document: object, dryRun: boolean) => Promise<unknown>
  },
) {
  const { row, noun, documentOf, save, ...editor } = props
  const [isEdited, setEdited] = useState(false)
  const opened = useRef(row)
  if (!isEdited) opened.current = row
  const { current } = opened
  return (
    <>
      {isEdited && row.version !== current.version && (
        <p class="notice" data-tone="warn" role="status">
          This {noun} has changed since you opened it. Discard your edits to see the change.
        </p>
      )}
      <DocumentEditor
        {...editor}
        document={documentOf(current)}
        onEdited={setEdited}
        save={(document, dryRun) => save(current, document, dryRun)}
      />
    </>
  )
}
