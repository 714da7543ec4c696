// A dialog with the form of a new row. It shows the problems that the API reports: those of a field beside the field, others at the end.

import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { type ApiError, asApiError } from '../api/request.ts'
import { Dialog } from './action.tsx'

export function CreateDialog(props: {
  title: string
  /** The text of the button. */
  submit: string
  /** Creates the row. Rejects with ApiError. */
  create: () => Promise<void>
  onClose: () => void
  /** Returns the fields, with the problems of the last attempt. */
  children: (error: ApiError | undefined) => ComponentChildren
}) {
  const { title, submit, create, onClose, children } = props
  const [error, setError] = useState<ApiError | undefined>(undefined)
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        class="stack"
        onSubmit={async event => {
          event.preventDefault()
          try {
            await create()
          } catch (reason) {
            setError(asApiError(reason))
          }
        }}
      >
        {children(error)}
        {error !== undefined && error.culprits.length === 0 && (
          <div class="notice" data-tone="bad" role="alert">
            {error.message}
          </div>
        )}
        <div class="actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary">
            {submit}
          </button>
        </div>
      </form>
    </Dialog>
  )
}
