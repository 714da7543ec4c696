// Parts for actions: a button that asks for confirmation, a dialog, and a message with the result.

import { signal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'

interface Toast {
  readonly id: number
  readonly text: string
  readonly tone: 'plain' | 'bad'
  readonly action: ToastAction | undefined
}

/** A button of a message, such as Undo. */
export interface ToastAction {
  readonly label: string
  readonly run: () => void
}

const SHOWN_MS = 6000
/** A person needs time to use the button. */
const SHOWN_WITH_ACTION_MS = 15_000
const toasts = signal<readonly Toast[]>([])
let lastId = 0

export function showMessage(text: string, tone: Toast['tone'] = 'plain', action?: ToastAction): void {
  lastId += 1
  const id = lastId
  toasts.value = [...toasts.value.slice(-3), { id, text, tone, action }]
  setTimeout(() => hideMessage(id), action === undefined ? SHOWN_MS : SHOWN_WITH_ACTION_MS)
}

function hideMessage(id: number): void {
  toasts.value = toasts.value.filter(toast => toast.id !== id)
}

/** Runs an action, and shows its error. Resolves with true when it succeeded. */
export async function run(action: () => Promise<unknown>, done?: string): Promise<boolean> {
  try {
    await action()
    if (done !== undefined) showMessage(done)
    return true
  } catch (error) {
    showMessage(error instanceof Error ? error.message : String(error), 'bad')
    return false
  }
}

export function Toasts() {
  return (
    <div class="toasts" role="status">
      {toasts.value.map(({ id, text, tone, action }) => (
        <div key={id} class="notice fade-in" data-tone={tone}>
          {text}
          {action !== undefined && (
            <button
              type="button"
              onClick={() => {
                hideMessage(id)
                action.run()
              }}
            >
              {action.label}
            </button>
          )}
        </div>
      ))}
    </div>
  )
}

export function Dialog({
  title,
  onClose,
  children,
}: {
  title: string
  onClose: () => void
  children: ComponentChildren
}) {
  const element = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const dialog = element.current
    dialog?.showModal()
    return () => dialog?.close()
  }, [])
  return (
    <dialog ref={element} aria-label={title} onCancel={onClose}>
      <div class="dialog">
        <h2>{title}</h2>
        {children}
      </div>
    </dialog>
  )
}

/** A button that asks for confirmation. `question`: the effect of the action, in one or two sentences. */
export function ConfirmButton(props: {
  label: string
  question: string
  tone?: 'danger' | 'plain'
  disabled?: boolean
  onConfirm: () => Promise<unknown>
}) {
  const { label, question, tone = 'danger', disabled = false, onConfirm } = props
  const [isOpen, setOpen] = useState(false)
  const [isRunning, setRunning] = useState(false)
  return (
    <>
      <button
        type="button"
        class={tone === 'danger' ? 'danger' : undefined}
        disabled={disabled}
        onClick={() => setOpen(true)}
      >
        {label}
      </button>
      {isOpen && (
        <Dialog title={label} onClose={() => setOpen(false)}>
          <p>{question}</p>
          <div class="actions">
            <button type="button" onClick={() => setOpen(false)}>
              Cancel
            </button>
            <button
              type="button"
              class={tone === 'danger' ? 'danger' : 'primary'}
              disabled={isRunning}
              onClick={async () => {
                setRunning(true)
                await run(onConfirm)
                setRunning(false)
                setOpen(false)
              }}
            >
              {label}
            </button>
          </div>
        </Dialog>
      )}
    </>
  )
}
