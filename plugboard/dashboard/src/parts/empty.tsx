// The text in place of an empty list, with the next command.

import type { ComponentChildren } from 'preact'
import { CommandLine } from './command-line.tsx'

export function Empty({
  title,
  children,
  commands = [],
}: {
  title: string
  children?: ComponentChildren
  commands?: readonly string[]
}) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      {children}
      {commands.map(command => (
        <CommandLine key={command} command={command} />
      ))}
    </div>
  )
}
