// The bar at the top: the search, the environment, the replica that serves this page, the theme, and the log-out.

import { connection, watchedReplicas } from '../api/live.ts'
import { run } from '../forms/action.tsx'
import { Chip } from '../parts/chip.tsx'
import { MenuIcon, SearchIcon, ThemeIcon } from '../parts/icons.tsx'
import { logOut, session } from '../session/session.ts'
import { nextTheme, theme } from './theme.ts'

export function TopBar({ onMenu, onSearch }: { onMenu: () => void; onSearch: () => void }) {
  const current = session.value
  const { missing } = watchedReplicas.value
  return (
    <header class="bar">
      <button type="button" class="plain menu-button" aria-label="Menu" onClick={onMenu}>
        <MenuIcon />
      </button>
      <button type="button" class="search" onClick={onSearch}>
        <SearchIcon /> <span class="label">Search, request id or URL</span> <kbd>/</kbd>
      </button>
      <span class="spring" />
      {current?.environment && (
        <span class="environment" data-color={current.environment.color}>
          {current.environment.name}
        </span>
      )}
      {missing.length > 0 && (
        <Chip tone="warn" title={missing.map(({ id, reason }) => `${id}: ${reason}`).join('\n')}>
          without {missing.map(({ id }) => id).join(', ')}
        </Chip>
      )}
      <span role="status">
        {connection.value === 'open' ? (
          <Chip tone="good">live</Chip>
        ) : (
          <Chip tone="warn">{connection.value === 'paused' ? 'paused' : 'connecting…'}</Chip>
        )}
      </span>
      <span class="replica soft small" title={`Plugboard ${current?.version ?? ''}`}>
        {current?.replicaId}
      </span>
      <button
        type="button"
        class="plain"
        aria-label={`Theme: ${theme.value}. Change it.`}
        onClick={nextTheme}
      >
        <ThemeIcon />
      </button>
      <button
        type="button"
        class="plain"
        title={`API key "${current?.key.name ?? ''}"`}
        onClick={() => run(logOut)}
      >
        Log out
      </button>
    </header>
  )
}
