// A new token, which is shown only once, and the texts that start a telephone with it.

import { useState } from 'preact/hooks'
import type { IssuedTokenBody } from '../../../../admin/api-types.ts'
import { CommandLine } from '../../parts/command-line.tsx'
import { Tabs } from '../../parts/drawer.tsx'
import { ShownOnce } from './shown-once.tsx'
import { FORMS, type Form, tokenCommands } from './token-commands.ts'

export function IssuedToken({ token, onClose }: { token: IssuedTokenBody; onClose: () => void }) {
  const [form, setForm] = useState<Form>('http')
  return (
    <ShownOnce
      title={`Token ${token.name}`}
      notice="Copy it now. The token is shown only once."
      secret={token.token}
      onClose={onClose}
    >
      <Tabs names={FORMS} selected={form} onSelect={setForm} />
      <ol class="stack">
        {tokenCommands(form, token).map(({ title, text }) => (
          <li key={title} class="stack">
            <p>{title}</p>
            <CommandLine command={text} />
          </li>
        ))}
      </ol>
    </ShownOnce>
  )
}
