// The credentials: tokens of telephones, API keys, and the keys that sign tokens.

import { useState } from 'preact/hooks'
import { Tabs } from '../../parts/drawer.tsx'
import { PageHead } from '../../parts/page-head.tsx'
import { may } from '../../session/session.ts'
import { useAddress } from '../../shell/address.ts'
import { Keys } from './keys.tsx'
import { NewKey } from './new-key.tsx'
import { NewToken } from './new-token.tsx'
import { SigningKeys } from './signing-keys.tsx'
import { Tokens } from './tokens.tsx'

const TABS = [
  ['tokens', 'Tokens of telephones'],
  ['keys', 'API keys'],
  ['signing', 'Signing keys'],
] as const
type Tab = (typeof TABS)[number][0]

type Adding = 'token' | 'key' | undefined

/** Other pages link to a form. The page hides forms for which the key lacks the scope. */
function addingOf(asked: string): Adding {
  if (asked === 'token' && may('tokens:write')) return 'token'
  return asked === 'key' && may('keys:write') ? 'key' : undefined
}

export function AccessPage() {
  const { filter, setFilters } = useAddress()
  const tab: Tab = TABS.find(([name]) => name === filter('tab'))?.[0] ?? 'tokens'
  const [isAdding, setAdding] = useState(() => addingOf(filter('new')))
  const close = (): void => {
    setAdding(undefined)
    setFilters({ new: '' })
  }
  return (
    <>
      <PageHead title="Access">
        <span class="spring" />
        {may('tokens:write') && (
          <button type="button" class="primary" onClick={() => setAdding('token')}>
            Issue a token
          </button>
        )}
        {may('keys:write') && (
          <button type="button" onClick={() => setAdding('key')}>
            Create an API key
          </button>
        )}
      </PageHead>
      <Tabs
        names={TABS}
        selected={tab}
        onSelect={name => setFilters({ tab: name === 'tokens' ? '' : name })}
      />
      {tab === 'tokens' && <Tokens />}
      {tab === 'keys' && <Keys />}
      {tab === 'signing' && <SigningKeys />}
      {isAdding === 'token' && <NewToken onClose={close} />}
      {isAdding === 'key' && <NewKey onClose={close} />}
    </>
  )
}
