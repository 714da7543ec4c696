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

export function AccessPage() {
  const { filter, setFilters } = useAddress()
  const tab: Tab = TABS.find(([name]) => name === filter('tab'))?.[0] ?? 'tokens'
  const [isAdding, setAdding] = useState<'token' | 'key' | undefined>(undefined)
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
      {isAdding === 'token' && <NewToken onClose={() => setAdding(undefined)} />}
      {isAdding === 'key' && <NewKey onClose={() => setAdding(undefined)} />}
    </>
  )
}
