// One route: its properties, its rules as YAML, its history with undo, and its deletion.

import { useState } from 'preact/hooks'
import type { ChangeBody, RouteBody } from '../../../../admin/api-types.ts'
import { changeCount } from '../../api/live.ts'
import { get, request } from '../../api/request.ts'
import { useQuery } from '../../api/use-query.ts'
import { ConfirmButton, showMessage } from '../../forms/action.tsx'
import { DocumentEditor } from '../../forms/document-editor.tsx'
import { removedKeys } from '../../forms/removed-keys.ts'
import { Drawer, Tabs } from '../../parts/drawer.tsx'
import { fullTime } from '../../parts/format.ts'
import { QueryNotice } from '../../parts/page-head.tsx'
import { TimeAgo } from '../../parts/time-ago.tsx'
import { may } from '../../session/session.ts'
import { hrefOf } from '../../shell/address.ts'
import { ChangeDialog } from '../changes/change-dialog.tsx'
import { LastChanges } from '../overview/last-changes.tsx'
import { RuleChips } from './rule-chips.tsx'

type Tab = 'about' | 'edit' | 'history'
const TABS = [
  ['about', 'About'],
  ['edit', 'Edit'],
  ['history', 'History'],
] as const

export function RouteDrawer({ id, onClose }: { id: string; onClose: () => void }) {
  const [tab, setTab] = useState<Tab>('about')
  const query = useQuery<RouteBody>(`route ${id}`, signal => get(`/v1/routes/${id}`, {}, signal), {
    on: changeCount,
  })
  const route = query.data
  return (
    <Drawer title={<span class="mono">{route?.mount ?? '…'}</span>} label="Route" onClose={onClose}>
      <Tabs names={TABS} selected={tab} onSelect={setTab} />
      <QueryNotice query={query} />
      {route !== undefined && tab === 'about' && <About route={route} onDeleted={onClose} />}
      {route !== undefined && tab === 'edit' && <Edit route={route} />}
      {tab === 'history' && <History id={id} />}
    </Drawer>
  )
}

function About({ route, onDeleted }: { route: RouteBody; onDeleted: () => void }) {
  const { id, version, service, options, claimedBy, lastTelephone, lastRequestAt, createdAt, updatedAt } =
    route
  return (
    <div class="stack">
      <dl class="details">
        <dt>Service</dt>
        <dd>{service === null ? '–' : <a href={hrefOf(`/services/${service}`)}>{service}</a>}</dd>
        <dt>Rules</dt>
        <dd>{Object.keys(options).length === 0 ? 'none' : <RuleChips options={options} />}</dd>
        <dt>Last request</dt>
        <dd>
          <TimeAgo time={lastRequestAt} />
        </dd>
        <dt>Claimed by</dt>
        <dd>{claimedBy === null ? 'no telephone' : `${lastTelephone ?? 'a telephone'} (${claimedBy})`}</dd>
        <dt>Created</dt>
        <dd>{fullTime(createdAt)}</dd>
        <dt>Changed</dt>
        <dd>
          {fullTime(updatedAt)}, version {version}
        </dd>
        <dt>Id</dt>
        <dd class="mono">{id}</dd>
      </dl>
      {may('routes:write') && (
        <div class="row">
          <ConfirmButton
            label="Delete"
            question={`Requests to ${route.mount} will no longer use this route. To restore it, undo this deletion on the page Changes.`}
            onConfirm={async () => {
              await request('DELETE', `/v1/routes/${id}`, { ifMatch: `"${version}"` })
              showMessage(`Route ${route.mount} deleted.`)
              onDeleted()
            }}
          />
        </div>
      )}
    </div>
  )
}

function Edit({ route }: { route: RouteBody }) {
  const { id, version, mount, service, options } = route
  return (
    <DocumentEditor
      key={version}
      label="The route as YAML"
      document={{ mount, service, options }}
      canWrite={may('routes:write')}
      save={(document, dryRun) =>
        request('PATCH', `/v1/routes/${id}`, {
          query: { dryRun: dryRun || undefined },
          ifMatch: `"${version}"`,
          body: removedKeys({ mount, service, options }, document),
        })
      }
    />
  )
}

function History({ id }: { id: string }) {
  const [opened, setOpened] = useState<ChangeBody | undefined>(undefined)
  const query = useQuery<{ items: readonly ChangeBody[] }>(
    `history ${id}`,
    signal => get('/v1/changes', { entityId: id, limit: 100 }, signal),
    { on: changeCount },
  )
  return (
    <>
      <QueryNotice query={query} />
      <LastChanges changes={query.data?.items ?? []} onOpen={setOpened} />
      {opened !== undefined && <ChangeDialog change={opened} onClose={() => setOpened(undefined)} />}
    </>
  )
}
