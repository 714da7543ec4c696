// The names of the rules of a route.

import { Chip } from '../../parts/chip.tsx'

export function RuleChips({ options }: { options: object }) {
  const names = Object.keys(options)
  return (
    <span class="row" title={names.join(', ')}>
      {names.map(name => (
        <Chip key={name} tone={name === 'respond' ? 'warn' : 'plain'}>
          {name}
        </Chip>
      ))}
    </span>
  )
}
