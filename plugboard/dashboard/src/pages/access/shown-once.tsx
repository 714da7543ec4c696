// A credential that the API shows only once, and further commands that use it.

import type { ComponentChildren } from 'preact'
import { Dialog } from '../../forms/action.tsx'
import { CommandLine } from '../../parts/command-line.tsx'

export function ShownOnce(props: {
  title: string
  notice: string
  secret: string
  onClose: () => void
  children?: ComponentChildren
}) {
  const { title, notice, secret, onClose, children } = props
  return (
    <Dialog title={title} onClose={onClose}>
      <div class="notice" data-tone="warn">
        {notice}
      </div>
      <CommandLine command={secret} />
      {children}
      <div class="actions">
        <button type="button" class="primary" onClick={onClose}>
          Done
        </button>
      </div>
    </Dialog>
  )
}
